"""Clustering algorithms (k-means, Gaussian mixtures) and silhouettes."""
