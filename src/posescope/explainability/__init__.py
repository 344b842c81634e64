"""What a trained network has learned: features, their components, walks, clusters, and what its skip connections do."""
