"""posescope: train, understand and ship a single-person 2D pose model from COCO-format keypoints."""

import os

__version__ = "0.1.0"

# Nothing phones home: an installed wheel has neither the checkout's .telemetry file nor its Makefile.
os.environ.setdefault("DO_NOT_TRACK", "1")
