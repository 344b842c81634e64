"""Options of the scoring of predictions, shared by the pipelines evaluation and final_test."""

from typing import Annotated

from pydantic import Field, field_validator

from posescope.core.plugins import ComponentSpec, Options, component_validator
from posescope.evaluation.metric_values import Protocol

MetricSpec = Annotated[ComponentSpec, component_validator("metrics")]

__all__ = ["ScoringOptions"]

# The report ranks and colours persons and joints by it.
_REQUIRED_METRIC = "pck_thesis"
_DEFAULT_METRICS = tuple(ComponentSpec(name=name) for name in ("pck_thesis", "pck", "oks"))


class ScoringOptions(Options):
    """Options of the metrics: which, of which persons, and their intervals."""

    metrics: tuple[MetricSpec, ...] = Field(
        _DEFAULT_METRICS, description="components of posescope.metrics, pck_thesis among them"
    )
    protocol: Protocol | None = Field(
        None,
        description="which persons count. coco: all labelled persons, those without crop as not found; crops: those with a crop; "
        "null: coco for AP and AR, crops for all other metrics",
    )
    seed: int = Field(0, ge=0, description="seed of the bootstrap intervals")
    resamples: int = Field(1000, ge=1, le=100_000, description="bootstrap resamples of the images")

    @property
    def person_protocol(self) -> Protocol:
        """Protocol of the metrics that are means over persons."""
        return self.protocol or "crops"

    @property
    def precision_protocol(self) -> Protocol:
        """Protocol of average precision and recall."""
        return self.protocol or "coco"

    @field_validator("metrics")
    @classmethod
    def _check_required_metric(cls, metrics: tuple[ComponentSpec, ...]) -> tuple[ComponentSpec, ...]:
        names = [metric.name for metric in metrics]
        if _REQUIRED_METRIC not in names:
            raise ValueError(
                f"expected '{_REQUIRED_METRIC}' among the metrics, since the report ranks persons by it, found {names}"
            )
        return metrics
