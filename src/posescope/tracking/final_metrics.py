"""Metrics of the evaluation as an experiment logger receives them."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from posescope.tracking.records import FinalMetric

__all__ = ["gather_final_metrics"]


def gather_final_metrics(metrics: Mapping[str, Any] | None) -> tuple[FinalMetric, ...]:
    """Return the metrics of a record of a run, with the intervals that they have.

    Args:
        metrics: content of metrics.json; None: the run evaluated nothing.

    Example:
        >>> gather_final_metrics({"schema_version": 1, "val": {"oks": {"value": 0.5, "low": 0.4, "high": 0.6}}})
        (FinalMetric(name='val/oks', value=0.5, low=0.4, high=0.6),)
    """
    splits = (metrics or {}).items()
    return tuple(metric for split, entries in splits if isinstance(entries, Mapping) for metric in _metrics_of(split, entries))


def _metrics_of(split: str, entries: Mapping[str, Any]) -> Iterator[FinalMetric]:
    for name, entry in entries.items():
        value = _number(entry.get("value")) if isinstance(entry, Mapping) else None
        if value is not None:
            yield FinalMetric(f"{split}/{name}", value, _number(entry.get("low")), _number(entry.get("high")))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
