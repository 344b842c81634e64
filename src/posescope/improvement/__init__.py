"""Autoencoders in the bottlenecks of a trained hourglass: training, insertion, fine-tuning and comparison."""
