"""The HTTP server of a model: images in, COCO results out."""
