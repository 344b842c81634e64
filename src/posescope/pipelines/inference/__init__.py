"""A folder of images -> COCO results and overlays."""

from posescope.pipelines.inference.options import InferenceOptions
from posescope.pipelines.inference.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"inference": InferenceOptions}
