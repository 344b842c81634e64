"""Using a trained model: on crops, on whole images with boxes."""
