"""Explainability of a trained network: features of its layers, components, traversals, clusters, ablation and attribution."""
