"""The thesis's percentage of correct keypoints (PCK), on a grid of 64 cells along the crop whatever the size of the heatmap.

    crop px x  ->  cell = clip(rint(x * 64 / L), 0, 63)        (ties go to the even cell; L is the side of the crop)

This is the rounding of the codec `thesis`, whose decoder returns x = c * L / 64 for cell c. With that codec the metric compares
the arg-max of the prediction with the arg-max of the target. A joint is correct if the two cells are less than 0.5 * 6.4 = 3.2
apart, about 5 % of the crop's side. Fractions are computed per person, then averaged over persons.

The side of a crop that is not square is its longer side, and its cells are square as well: a crop of 256 x 192 px has 64 x 48.
"""

import numpy as np
from numpy.typing import NDArray

from posescope.core.plugins import Component, Options
from posescope.evaluation.metrics.base import MetricResult, mean_over_labelled, metric_result_of_hits
from posescope.evaluation.scored_persons import ScoredPersons

__all__ = ["GRID_CELLS", "RADIUS_CELLS", "PckThesis", "joint_hits", "pck_thesis", "pck_thesis_hits"]

GRID_CELLS = 64
RADIUS_CELLS = 3.2


def pck_thesis(
    predicted: NDArray[np.floating], target: NDArray[np.floating], visibility: NDArray[np.uint8], crop_size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the fraction of each person's labelled joints that is predicted correctly.

    Args:
        predicted: (N, K, 2) crop px; NaN where there is no prediction.
        target: (N, K, 2) crop px; NaN where unlabelled.
        visibility: (N, K) 0..2; joints of visibility 0 are unlabelled and do not count.
        crop_size: (height, width) px.

    Returns:
        (N,) float64, 0..1; NaN for a person without labelled joints. The thesis's value is the mean over the other persons.

    Example:
        >>> target = np.array([[[10.0, 20.0], [30.0, 40.0]]])
        >>> pck_thesis(target + [[[0, 2], [0, 60]]], target, np.array([[2, 2]], np.uint8), (256, 256))
        array([0.5])
    """
    return mean_over_labelled(pck_thesis_hits(predicted, target, visibility, crop_size), visibility > 0, axis=1)


def pck_thesis_hits(
    predicted: NDArray[np.floating], target: NDArray[np.floating], visibility: NDArray[np.uint8], crop_size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return (N, K) which joints are labelled and correct.

    Args:
        predicted, target, visibility, crop_size: see `pck_thesis`.
    """
    offset = _cells(predicted, crop_size) - _cells(target, crop_size)
    # NaN compares as False: an unlabelled target and a missing prediction are never correct.
    near = np.hypot(offset[..., 0], offset[..., 1]) < RADIUS_CELLS
    return near & (visibility > 0)


def joint_hits(scored: ScoredPersons) -> NDArray[np.float64]:
    """Return (N, K) 1 where a joint is correct by `pck_thesis`, 0 where it is not, NaN where that is unknown.

    Unknown are unlabelled joints, and all joints of a person with a prediction but without a crop. A person without prediction
    has no hit.
    """
    hits = pck_thesis_hits(scored.predicted_crop, scored.truth_crop, scored.visibility, scored.crop_size)
    return np.where(scored.labelled & scored.measurable_in_crop[:, None], hits.astype(np.float64), np.nan)


def _cells(points: NDArray[np.floating], crop_size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the cells of (..., 2) crop px, as float64, 0..63 along the longer side; NaN stays NaN."""
    height, width = crop_size
    side = max(crop_size)
    last = np.rint(np.array([width, height]) * GRID_CELLS / side) - 1
    return np.clip(np.rint(np.asarray(points, dtype=np.float64) * GRID_CELLS / side), 0, last)


class PckThesis(Component[Options]):
    """Metric `pck_thesis`: mean over persons; `pck_thesis_visible`: the same for visible joints (v = 2) only."""

    def __call__(self, scored: ScoredPersons) -> MetricResult:
        """Compute the metric in the frame of the crops.

        A person without prediction counts with 0. A person with a prediction but without a crop (another system needs none) does
        not count.
        """
        visibility = np.where(scored.measurable_in_crop[:, None], scored.visibility, np.uint8(0))
        hits = pck_thesis_hits(scored.predicted_crop, scored.truth_crop, visibility, scored.crop_size)
        per_person = {
            "pck_thesis": mean_over_labelled(hits, visibility > 0, axis=1),
            "pck_thesis_visible": mean_over_labelled(hits, visibility == 2, axis=1),
        }
        headline = {name: float(mean_over_labelled(values, ~np.isnan(values))) for name, values in per_person.items()}
        found = metric_result_of_hits("pck_thesis", headline["pck_thesis"], hits, visibility > 0)
        return MetricResult(metric_values=headline, per_person=per_person, per_joint=found.per_joint)
