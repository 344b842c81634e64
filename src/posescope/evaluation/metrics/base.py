"""What every metric returns, and the averages that they share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import PosescopeError

__all__ = ["MetricResult", "metric_result_of_hits", "mean_over_labelled", "fraction_per_person", "MetricError"]


@dataclass(frozen=True)
class MetricResult:
    """What one metric says of N persons. Every inner key is the name of a figure; NaN where nobody is labelled.

    Attributes:
        metric_values: headline values by name, for example {"pck_thesis": 0.91}.
        per_person: (N,) float64 by name, in the persons' order; NaN for a person without labelled joints.
        per_joint: (K,) float64 by name, in the skeleton's order; NaN for a joint that nobody has labelled.
        per_visibility: by name, then by visibility (1 hidden, 2 visible).
        weights: (N,) float64 by the name of a figure, >= 0: the figure is the mean of its value a person with these weights. A
            figure without weights is the plain mean, if it is a mean at all; intervals are made from this.
    """

    metric_values: Mapping[str, float]
    per_person: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    per_joint: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    per_visibility: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def mean_over_labelled(values: NDArray[np.float64], labelled: NDArray[np.bool_], axis: int | None = None) -> NDArray[np.float64]:
    """Mean of the labelled values along `axis` (or of all), float64; NaN where nothing is labelled.

    Args:
        values: (N, K); what stands at an unlabelled place does not matter, NaN included.
        labelled: (N, K).
        axis: 0 for a value a joint, 1 for a value a person, None for one value (a 0-d array).
    """
    counts = labelled.sum(axis=axis)
    totals = np.where(labelled, values, 0.0).sum(axis=axis, dtype=np.float64)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def fraction_per_person(hits: NDArray[np.bool_], labelled: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, K) hits -> (N,) the share of the labelled joints that are hit, 0..1; NaN for persons without labelled joints."""
    return mean_over_labelled(hits.astype(np.float64), labelled, axis=1)


def metric_result_of_hits(name: str, headline: float, hits: NDArray[np.bool_], visibility: NDArray[np.uint8]) -> MetricResult:
    """The figures of a metric that calls each labelled joint right or wrong.

    Args:
        name: the figures' name.
        headline: the metric's own average, which may weigh joints or persons.
        hits: (N, K).
        visibility: (N, K) 0..2.
    """
    labelled, shares = visibility > 0, hits.astype(np.float64)
    return MetricResult(
        metric_values={name: headline},
        per_person={name: fraction_per_person(hits, labelled)},
        per_joint={name: mean_over_labelled(shares, labelled, axis=0)},
        per_visibility={name: {v: float(mean_over_labelled(shares, visibility == v)) for v in (1, 2)}},
    )


# MERGED from errors: The room's named errors.


class MetricError(PosescopeError):
    """A metric cannot be computed from what it was given; a figure such as 0 or -1 would hide that."""
