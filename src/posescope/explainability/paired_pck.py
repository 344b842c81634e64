"""PCK of the same persons under several conditions: means and paired drops with intervals over images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import sample_rows

__all__ = ["Hits", "PairedPck", "labelled_rows"]

Hits = NDArray[np.bool_]  # (n, K): labelled and correct


def labelled_rows(inputs: AnalysisInputs, most: int, analysis: str) -> NDArray[np.int64]:
    """Draw persons with labelled joints.

    Args:
        inputs: the persons.
        most: maximum number of persons.
        analysis: name of the analysis, for the error.

    Returns:
        (n,) rows in ascending order.

    Raises:
        ExplainabilityError: if no person has a labelled joint.
    """
    labelled = np.flatnonzero((inputs.judged.crops.targets.visibility > 0).any(axis=1))
    if not len(labelled):
        raise ExplainabilityError(f"{analysis}: expected persons with labelled joints, found none. Choose another split.")
    return labelled[sample_rows(len(labelled), most, inputs.seed)].astype(np.int64)


class PairedPck:
    """Computes PCK of n persons; all intervals use the same bootstrap resamples of images.

    Args:
        labelled: (n, K) whether a joint is labelled.
        image_ids: (n,) image of each person.
        seed: random seed of the resamples.
        resamples: number of bootstrap resamples.
    """

    def __init__(self, labelled: NDArray[np.bool_], image_ids: NDArray[np.int64], seed: int, resamples: int) -> None:
        self._labelled, self._images = labelled, image_ids
        self._draws = resample_images(image_ids, seed, resamples)

    def pck(self, hits: Hits) -> Interval:
        """Return `pck_thesis`: the mean over persons of the fraction of their labelled joints that is correct."""
        return self._draws.mean_interval(mean_over_labelled(hits, self._labelled, axis=1), self._images)

    def drop(self, reference: Hits, hits: Hits) -> Interval:
        """Return the paired drop of PCK.

        Args:
            reference, hits: (n, K) before and after.
        """
        lost = mean_over_labelled(reference, self._labelled, axis=1) - mean_over_labelled(hits, self._labelled, axis=1)
        return self._draws.mean_interval(lost, self._images)

    def joint_pck(self, hits: Hits) -> NDArray[np.float64]:
        """Return the (K,) fraction of correct labelled joints; NaN for a joint without labels."""
        counts = self._labelled.sum(axis=0)
        right = (hits & self._labelled).sum(axis=0, dtype=np.float64)
        fractions: NDArray[np.float64] = np.full(len(counts), np.nan)
        fractions[counts > 0] = right[counts > 0] / counts[counts > 0]
        return fractions

    def joint_drops(self, reference: Hits, hits: Hits) -> list[Interval]:
        """Return the paired drop of `joint_pck` for every joint; NaN for a joint without labels.

        Args:
            reference, hits: (n, K) before and after.
        """
        return [self._draws.mean_interval(lost, self._images) for lost in self._lost(reference, hits).T]

    def contrast(self, reference: Hits, hits: Hits, joints: Sequence[int], others: Sequence[int]) -> Interval:
        """Compare the drops of two groups of joints.

        Args:
            reference, hits: (n, K) before and after.
            joints: first group.
            others: second group.

        Returns:
            Mean drop of the first group minus that of the second, over labelled joints; NaN if a group has no labels.
        """
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
        """Return (n, K): 1 lost, 0 unchanged, -1 gained, NaN unlabelled."""
        return np.where(self._labelled, reference.astype(np.float64) - hits.astype(np.float64), np.nan)
