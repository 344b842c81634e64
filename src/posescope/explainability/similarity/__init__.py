"""Similarity of the representations of several networks."""
