"""Codecs: how joints become heatmaps, and heatmaps joints again. One scheme a file."""
