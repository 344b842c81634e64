"""The prediction engine: a trained model on crops and on whole images, with detectors, image input and overlays."""
