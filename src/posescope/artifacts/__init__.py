"""The model folder: a trained model that describes itself."""
