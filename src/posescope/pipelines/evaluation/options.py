"""The parameters of the namespace `evaluation`."""

from typing import TYPE_CHECKING

from pydantic import Field

from posescope.inference.crop_predictions import PredictionOptions
from posescope.plugins import ComponentSpec, Options, component_of

if TYPE_CHECKING:
    MetricSpec = ComponentSpec
else:
    MetricSpec = component_of("metrics")

__all__ = ["EvaluationOptions", "ScoringOptions"]

_DEFAULT_METRICS = tuple(ComponentSpec(name=name) for name in ("pck_thesis", "pck", "oks"))


class ScoringOptions(Options):
    """Which metrics."""

    metrics: tuple[MetricSpec, ...] = Field(_DEFAULT_METRICS, description="components of posescope.metrics")
    seed: int = Field(0, ge=0, description="seed of the bootstrap intervals")


class EvaluationOptions(Options):
    """All parameters of the pipeline."""

    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="how the model is run")
    scoring: ScoringOptions = Field(default_factory=ScoringOptions, description="how it is scored")
