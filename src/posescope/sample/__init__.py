"""The project's embedded default data: pictures of generated people in the official COCO keypoints layout."""

from posescope.sample.generator import FORMAT_VERSION, generate_sample, is_current_sample
from posescope.sample.options import SampleOptions

__all__ = ["FORMAT_VERSION", "SampleOptions", "generate_sample", "is_current_sample"]
