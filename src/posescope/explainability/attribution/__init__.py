"""Pixel attribution per joint, its location on the body and its faithfulness."""
