"""posescope: train, understand and ship a single-person 2D pose model from COCO-format keypoints."""

import os
from pathlib import Path

__version__ = "0.1.0"

# Nothing phones home: an installed wheel has neither the checkout's .telemetry file nor its Makefile.
os.environ.setdefault("DO_NOT_TRACK", "1")

# Nor has it the checkout's conf/logging.yml, and Kedro's own set-up breaks every path at 80 columns.
if not Path("conf/logging.yml").is_file():
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(Path(__file__).with_name("logging.yml")))
