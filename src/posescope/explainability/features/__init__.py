"""Activations of a network's layers: reading, patching and storing them."""
