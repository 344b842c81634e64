"""PCK@alpha: a joint is right if it lies within `alpha` times the longer side of the person's box (Yang and Ramanan, 2013)."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.metrics.base import MetricFigures, figures_of_hits, mean_over_labelled
from posescope.plugins import Options
from posescope.records import ScoredPersons

__all__ = ["Pck", "PckOptions", "pck_hits"]


def pck_hits(
    predicted: NDArray[np.float64],
    truth: NDArray[np.float64],
    visibility: NDArray[np.uint8],
    boxes: NDArray[np.float64],
    alpha: float,
) -> NDArray[np.bool_]:
    """Which joints are labelled and right: distance <= alpha * max(w, h).

    Args:
        predicted: (N, K, 2) px.
        truth: (N, K, 2) px, the same frame; NaN where unlabelled.
        visibility: (N, K) 0..2.
        boxes: (N, 4) x, y, w, h px, the same frame.
        alpha: share of the box's longer side, > 0.

    Returns:
        (N, K) bool.
    """
    offset = predicted - truth
    reach = alpha * boxes[:, 2:].max(axis=1)
    # NaN compares as False: neither an unlabelled truth nor a missing prediction is ever right.
    near: NDArray[np.bool_] = np.hypot(offset[..., 0], offset[..., 1]) <= reach[:, None]
    return near & (visibility > 0)


class PckOptions(Options):
    """How near is right."""

    alpha: float = Field(0.2, gt=0, le=1, description="Reach, as a share of the longer side of the person's box")


class Pck:
    """Metric `pck@<alpha>`: the share of all labelled joints, of whatever person, that is right."""

    Options = PckOptions

    def __init__(self, options: PckOptions) -> None:
        self.options = options

    def __call__(self, scored: ScoredPersons) -> MetricFigures:
        """Figures of N persons."""
        alpha = self.options.alpha
        hits = pck_hits(scored.predicted, scored.truth, scored.visibility, scored.boxes, alpha)
        headline = float(mean_over_labelled(hits.astype(np.float64), scored.labelled))
        return figures_of_hits(f"pck@{alpha:g}", headline, hits, scored.visibility)
