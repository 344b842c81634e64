"""The study's percentage of correct keypoints: cells against cells on a 64 x 64 grid of the crop, whatever the map's size.

    crop px x  ->  cell = clip(rint(x * 64 / W), 0, 63)        (halves go to the even cell)

This is the rounding of the codec `thesis`, whose decoder says x = c * W / 64 for cell c. With that codec the metric is
exactly arg-max of the prediction against arg-max of the target. A joint is right if the two cells are less than
0.5 * 6.4 = 3.2 apart, about 5 % of the crop's side. Shares are taken per person, then averaged over persons.
"""

import numpy as np
from numpy.typing import NDArray

from posescope.core.plugins import Options
from posescope.core.records import ScoredPersons
from posescope.evaluation.metrics.base import MetricResult, fraction_per_person, mean_over_labelled, metric_result_of_hits
from posescope.geometry.affine import apply_affine

__all__ = ["GRID_CELLS", "RADIUS_CELLS", "PckThesis", "PckThesisOptions", "pck_thesis", "pck_thesis_hits"]

GRID_CELLS = 64
RADIUS_CELLS = 3.2


def pck_thesis(
    predicted: NDArray[np.floating],
    target: NDArray[np.floating],
    visibility: NDArray[np.uint8],
    crop_size: tuple[int, int],
) -> NDArray[np.float64]:
    """The share of each person's labelled joints that is predicted right.

    Args:
        predicted: (N, K, 2) crop px.
        target: (N, K, 2) crop px; NaN where unlabelled.
        visibility: (N, K) 0..2; 0 is unlabelled and does not count.
        crop_size: (height, width) px.

    Returns:
        (N,) float64, 0..1; NaN for a person without labelled joints. The study's figure is the mean over the others.
    """
    return fraction_per_person(pck_thesis_hits(predicted, target, visibility, crop_size), visibility > 0)


def pck_thesis_hits(
    predicted: NDArray[np.floating],
    target: NDArray[np.floating],
    visibility: NDArray[np.uint8],
    crop_size: tuple[int, int],
) -> NDArray[np.bool_]:
    """(N, K) bool: labelled and right. Arguments as for `pck_thesis`."""
    offset = _cells(predicted, crop_size) - _cells(target, crop_size)
    # NaN compares as False, so neither an unlabelled target nor a missing prediction is ever right.
    near = np.hypot(offset[..., 0], offset[..., 1]) < RADIUS_CELLS
    return near & (visibility > 0)


def _cells(points: NDArray[np.floating], crop_size: tuple[int, int]) -> NDArray[np.float64]:
    """(..., 2) crop px -> (..., 2) whole cells 0..63 as float64; NaN stays NaN."""
    height, width = crop_size
    scaled = np.asarray(points, dtype=np.float64) * GRID_CELLS / np.array([width, height], dtype=np.float64)
    return np.clip(np.rint(scaled), 0, GRID_CELLS - 1)


class PckThesisOptions(Options):
    """None: grid and radius are the study's, so that figures stay comparable with it. See `pck` for one with a choice."""


class PckThesis:
    """Metric `pck_thesis`: mean over persons; `pck_thesis_visible`: the same on visible joints (v = 2) alone."""

    Options = PckThesisOptions

    def __init__(self, options: PckThesisOptions) -> None:
        self.options = options

    def __call__(self, scored: ScoredPersons) -> MetricResult:
        """Figures of N persons; points are taken into the crops first, since the grid is the crop's.

        Somebody who was missed has hit nothing. Somebody who was found, but has no crop (another system needs none), cannot be
        measured, and does not count.
        """
        # The way from crop to image and back costs a few bits, which must not decide the rounding of a half cell.
        predicted = apply_affine(scored.crop_from_image, scored.predicted).round(6)
        target = apply_affine(scored.crop_from_image, scored.truth).round(6)
        unknown = scored.found & np.isnan(scored.crop_from_image).any(axis=(1, 2))
        visibility = np.where(unknown[:, None], np.uint8(0), scored.visibility)
        hits = pck_thesis_hits(predicted, target, visibility, scored.crop_size)
        everyone = fraction_per_person(hits, visibility > 0)
        visible = fraction_per_person(hits, visibility == 2)
        found = metric_result_of_hits("pck_thesis", float(mean_over_labelled(everyone, ~np.isnan(everyone))), hits, visibility)
        return MetricResult(
            metric_values={**found.metric_values, "pck_thesis_visible": float(mean_over_labelled(visible, ~np.isnan(visible)))},
            per_person={**found.per_person, "pck_thesis_visible": visible},
            per_joint=found.per_joint,
            per_visibility=found.per_visibility,
        )
