"""The sections of the report, each assembled from tables, plots and images."""
