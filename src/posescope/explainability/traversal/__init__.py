"""Latent traversals: steps along principal components, decoded and compared with the nearest persons."""
