"""The generated sample, the default data: rendered images of persons with keypoints in the layout of COCO 2017."""

from posescope.sample.generator import FORMAT_VERSION, generate_sample, is_current_sample
from posescope.sample.options import SampleOptions

__all__ = ["FORMAT_VERSION", "SampleOptions", "generate_sample", "is_current_sample"]
