"""How predictions are scored: shared by the pipelines that score, which never import one another."""

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from posescope.core.plugins import ComponentSpec, Options, component_field
from posescope.evaluation.metric_values import Protocol

if TYPE_CHECKING:
    MetricSpec = ComponentSpec
else:
    MetricSpec = component_field("metrics")

__all__ = ["ScoringOptions"]

# Reports rank and colour people and joints by it.
_REQUIRED_METRIC = "pck_thesis"
_DEFAULT_METRICS = tuple(ComponentSpec(name=name) for name in ("pck_thesis", "pck", "oks"))


class ScoringOptions(Options):
    """Which metrics, of whom, how surely."""

    metrics: tuple[MetricSpec, ...] = Field(
        _DEFAULT_METRICS, description="components of posescope.metrics, pck_thesis among them"
    )
    protocol: Protocol | None = Field(
        None,
        description="who counts: coco, everybody labelled, the discarded as missed; crops, those with a crop alone; "
        "null, as is usual for each figure: coco for AP and AR, crops for all others",
    )
    seed: int = Field(0, ge=0, description="seed of the bootstrap intervals")
    resamples: int = Field(1000, ge=1, le=100_000, description="draws of images that the intervals are made from")

    @property
    def person_protocol(self) -> Protocol:
        """Of the figures that are means over people."""
        return self.protocol or "crops"

    @property
    def precision_protocol(self) -> Protocol:
        """Of average precision and recall."""
        return self.protocol or "coco"

    @field_validator("metrics")
    @classmethod
    def _has_what_reports_need(cls, metrics: tuple[ComponentSpec, ...]) -> tuple[ComponentSpec, ...]:
        names = [metric.name for metric in metrics]
        if _REQUIRED_METRIC not in names:
            raise ValueError(f"expected '{_REQUIRED_METRIC}' among the metrics, for the report is ordered by it, found {names}")
        return metrics
