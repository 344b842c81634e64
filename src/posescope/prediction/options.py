"""Options of the prediction engine."""

from pydantic import Field

from posescope.core.hardware import DEVICE_PATTERN
from posescope.core.plugins import Options

__all__ = ["PredictionOptions"]


class PredictionOptions(Options):
    """How a model is run."""

    batch_size: int = Field(64, ge=1, description="persons per forward pass, of one or several images")
    flip_test: bool = Field(False, description="average with the heatmaps of the mirrored crop")
    device: str = Field("auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N")
