"""Skeletons, heatmaps, text and image grids: functions that take and return (H, W, 3) uint8 RGB arrays."""
