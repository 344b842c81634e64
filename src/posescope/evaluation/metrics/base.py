"""The result that every metric returns, and the averages that metrics share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import PosescopeError

__all__ = ["MetricError", "MetricResult", "mean_over_labelled", "metric_result_of_hits"]


class MetricError(PosescopeError):
    """A metric cannot be computed from its input. A value such as 0 or -1 would hide that."""


@dataclass(frozen=True)
class MetricResult:
    """The values of one metric for N persons, each mapping by the name of the value; NaN where nothing is labelled.

    Attributes:
        metric_values: headline values, for example {"pck_thesis": 0.91}.
        per_person: (N,) float64, in the order of the persons; NaN for a person without labelled joints.
        per_joint: (K,) float64, in the order of the skeleton; NaN for a joint that is labelled nowhere.
        weights: (N,) float64 >= 0: the headline value is the mean of `per_person` with these weights. Without weights it is the
            plain mean, if it is a mean at all. Confidence intervals are computed from this.
    """

    metric_values: Mapping[str, float]
    per_person: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    per_joint: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def mean_over_labelled(
    values: NDArray[np.float64] | NDArray[np.bool_], labelled: NDArray[np.bool_], axis: int | None = None
) -> NDArray[np.float64]:
    """Return the mean of the labelled values, float64; NaN where nothing is labelled.

    Args:
        values: (N, K); values at unlabelled places are ignored, NaN included. The mean of booleans is the fraction that is True.
        labelled: (N, K).
        axis: 0 for a value per joint, 1 for a value per person, None for one value (a 0-d array).

    Example:
        >>> mean_over_labelled(np.array([[1.0, 0.0], [0.5, np.nan]]), np.array([[True, True], [True, False]]), axis=1)
        array([0.5, 0.5])
    """
    counts = labelled.sum(axis=axis)
    totals = np.where(labelled, values, 0.0).sum(axis=axis, dtype=np.float64)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def metric_result_of_hits(name: str, headline: float, hits: NDArray[np.bool_], labelled: NDArray[np.bool_]) -> MetricResult:
    """Return the result of a metric that classifies each labelled joint as correct or not.

    Args:
        name: name of the metric value.
        headline: the metric's own average, which may weight joints or persons.
        hits, labelled: (N, K).
    """
    return MetricResult(
        metric_values={name: headline},
        per_person={name: mean_over_labelled(hits, labelled, axis=1)},
        per_joint={name: mean_over_labelled(hits, labelled, axis=0)},
    )
