"""posescope: train, understand and ship a single-person 2D pose model from COCO-format keypoints."""

__version__ = "0.1.0"
