"""Coordinate transforms: affine maps, flips, heatmap px, square boxes and letterboxes. No other package computes coordinates."""
