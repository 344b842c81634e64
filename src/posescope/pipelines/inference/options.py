"""Parameters of the pipeline `inference`."""

from typing import Annotated

from pydantic import Field

from posescope.core.plugins import ComponentSpec, Options, component_validator
from posescope.data.images.limits import ImageLimits
from posescope.prediction.options import PredictionOptions
from posescope.prediction.overlays import OverlayOptions

DetectorSpec = Annotated[ComponentSpec, component_validator("detectors")]

__all__ = ["InferenceOptions"]


class InferenceOptions(Options):
    """Parameters of the pipeline `inference`."""

    detector: DetectorSpec = Field(ComponentSpec(name="full_image"), description="finds the persons of an image")
    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="batch size, device and flip test")
    image_limits: ImageLimits = Field(default_factory=ImageLimits, description="the largest image that is decoded")
    overlays: OverlayOptions = Field(default_factory=OverlayOptions, description="drawing of the poses")
