"""Image grids for the report and Kedro-Viz: crops, target heatmaps, average crops, persons."""
