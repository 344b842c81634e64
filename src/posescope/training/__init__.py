"""Training of a pose model: augmentation, the epoch loop, checkpoints and distributed processes."""
