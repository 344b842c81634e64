"""Augmentation on the training device: a plan for each batch, executed with one resampling."""
