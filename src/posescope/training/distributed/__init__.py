"""Distributed training in several processes of one machine."""
