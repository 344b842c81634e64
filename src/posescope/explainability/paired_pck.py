"""PCK of the same persons under many conditions: means and paired drops, each with an interval over images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval, draw_images
from posescope.evaluation.metrics.base import fraction_per_person
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import sample_rows

__all__ = ["Hits", "PairedPck", "labelled_rows"]

Hits = NDArray[np.bool_]  # (n, K): labelled and right


def labelled_rows(inputs: AnalysisInputs, most: int, analysis: str) -> NDArray[np.int64]:
    """(n,) rows of persons with labelled joints, at most so many, ascending.

    Raises:
        ExplainError: if nobody has labelled joints.
    """
    labelled = np.flatnonzero((inputs.crops.targets.visibility > 0).any(axis=1))
    if not len(labelled):
        raise ExplainabilityError(f"{analysis}: none of the persons has labelled joints, so nothing can be scored.")
    return labelled[sample_rows(len(labelled), most, inputs.seed)].astype(np.int64)


class PairedPck:
    """Scores hits of n persons; all intervals are from the same draws of images.

    Args:
        labelled: (n, K) bool.
        image_ids: (n,) the image of each person.
        seed, resamples: of the bootstrap.
    """

    def __init__(self, labelled: NDArray[np.bool_], image_ids: NDArray[np.int64], seed: int, resamples: int) -> None:
        self._labelled, self._images = labelled, image_ids
        self._draws = draw_images(image_ids, seed, resamples)

    def pck(self, hits: Hits) -> Interval:
        """Mean over persons of the share of their joints that is right: `pck_thesis`."""
        return self._draws.mean_interval(fraction_per_person(hits, self._labelled), self._images)

    def drop(self, reference: Hits, hits: Hits) -> Interval:
        """By how much PCK is lower than under the reference, person by person."""
        lost = fraction_per_person(reference, self._labelled) - fraction_per_person(hits, self._labelled)
        return self._draws.mean_interval(lost, self._images)

    def joint_pck(self, hits: Hits) -> NDArray[np.float64]:
        """(K,) share of the labelled joints that is right; NaN for a joint that nobody has labelled."""
        counts = self._labelled.sum(axis=0)
        right = (hits & self._labelled).sum(axis=0, dtype=np.float64)
        shares: NDArray[np.float64] = np.full(len(counts), np.nan)
        shares[counts > 0] = right[counts > 0] / counts[counts > 0]
        return shares

    def joint_drops(self, reference: Hits, hits: Hits) -> list[Interval]:
        """For every joint the drop of `joint_pck`; NaN for a joint that nobody has labelled."""
        return [self._draws.mean_interval(lost, self._images) for lost in self._lost(reference, hits).T]

    def contrast(self, reference: Hits, hits: Hits, joints: Sequence[int], others: Sequence[int]) -> Interval:
        """By how much more some joints lose than others, each labelled joint of a person counting once."""
        lost = self._lost(reference, hits)
        known = ~np.isnan(lost)

        def flat(chosen: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
            inside = known[:, chosen]
            return lost[:, chosen][inside], np.broadcast_to(self._images[:, None], inside.shape)[inside]

        (first, first_images), (second, second_images) = flat(joints), flat(others)
        if not len(first) or not len(second):
            return Interval(float("nan"), float("nan"), float("nan"))
        drawn = self._draws.means(first, first_images) - self._draws.means(second, second_images)
        return self._draws.interval(float(first.mean() - second.mean()), drawn)

    def _lost(self, reference: Hits, hits: Hits) -> NDArray[np.float64]:
        """(n, K): 1 lost, 0 as before, -1 gained; NaN where unlabelled."""
        return np.where(self._labelled, reference.astype(np.float64) - hits.astype(np.float64), np.nan)
