"""The only home of coordinate transforms: affine maps, flips, cells of heatmaps, square boxes."""
