"""Pictures as arrays: skeletons, heatmaps and contact sheets; every function returns a new uint8 RGB image (H, W, 3)."""
