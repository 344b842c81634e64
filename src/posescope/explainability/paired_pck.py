"""PCK of the same persons under several conditions: means and paired drops with intervals over photographs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.explainability.base import StudyPersons
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import sample_rows

__all__ = ["Hits", "PairedPck", "labelled_rows", "tabulate_hits"]

Hits = NDArray[np.bool_]  # (n, K): labelled and correct
_Condition = TypeVar("_Condition")


def labelled_rows(persons: StudyPersons, most: int, analysis: str, seed: int) -> NDArray[np.int64]:
    """Draw persons with labelled joints.

    Args:
        persons: the persons.
        most: maximum number of persons.
        analysis: name of the analysis, for the error.
        seed: random seed of the draw.

    Returns:
        (n,) rows in ascending order.

    Raises:
        ExplainabilityError: if no person has a labelled joint.
    """
    labelled = np.flatnonzero((persons.crops.targets.visibility > 0).any(axis=1))
    if not len(labelled):
        raise ExplainabilityError(f"{analysis}: expected persons with labelled joints, found none. Choose another split.")
    return labelled[sample_rows(len(labelled), most, seed)].astype(np.int64)


def tabulate_hits(
    person_ids: NDArray[np.int64],
    labelled: NDArray[np.bool_],
    hits: Mapping[_Condition, Hits],
    columns_of: Callable[[_Condition], Mapping[str, Any]],
) -> pd.DataFrame:
    """Tabulate which joints of each person are correct under each condition, one row per condition and person.

    Args:
        person_ids: (n,).
        labelled: (n, K) whether a joint is labelled.
        hits: (n, K) by condition.
        columns_of: columns that describe a condition.

    Returns:
        person_id, the columns of the condition, correct and labelled (numbers of joints), and hits: a character per joint, in the
        model's order: 1 correct, 0 wrong, - unlabelled.
    """
    parts: Iterable[pd.DataFrame] = (
        pd.DataFrame(
            {
                "person_id": person_ids,
                **columns_of(condition),
                "correct": (own & labelled).sum(axis=1),
                "labelled": labelled.sum(axis=1),
                "hits": ["".join(row) for row in np.where(labelled, np.where(own, "1", "0"), "-")],
            }
        )
        for condition, own in hits.items()
    )
    return pd.concat(parts, ignore_index=True)


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

    def correct_by_joint(self, hits: Hits) -> NDArray[np.float64]:
        """Return the (K,) numbers of correct labelled joints."""
        correct: NDArray[np.float64] = (hits & self._labelled).sum(axis=0, dtype=np.float64)
        return correct

    def relative_loss(self, reference: Hits, hits: Hits, joints: Sequence[int]) -> Interval:
        """Return the fraction of the correct joints that are lost; NaN if none was correct.

        Args:
            reference, hits: (n, K) before and after.
            joints: the joints that count.
        """
        before, lost = self._correct(reference, joints), self._correct(reference, joints) - self._correct(hits, joints)
        return self._draws.interval(_ratio(lost, before), self._draws.ratios(lost, before, self._images))

    def relative_contrast(self, reference: Hits, hits: Hits, joints: Sequence[int], others: Sequence[int]) -> Interval:
        """Compare the relative losses of two groups of joints.

        A joint that is often correct has more to lose than one that is rarely correct, so absolute drops differ even where all
        joints lose the same fraction.

        Args:
            reference, hits: (n, K) before and after.
            joints: first group.
            others: second group.

        Returns:
            Relative loss of the first group minus that of the second; NaN if one of them has no correct joints.
        """
        before = np.stack([self._correct(reference, group) for group in (joints, others)], axis=1)
        lost = before - np.stack([self._correct(hits, group) for group in (joints, others)], axis=1)
        drawn = self._draws.ratios(lost, before, self._images)
        own = [_ratio(lost[:, column], before[:, column]) for column in (0, 1)]
        return self._draws.interval(own[0] - own[1], drawn[:, 0] - drawn[:, 1])

    def _correct(self, hits: Hits, joints: Sequence[int]) -> NDArray[np.float64]:
        """Return the (n,) numbers of correct joints of a group."""
        chosen = list(joints)
        correct: NDArray[np.float64] = (hits & self._labelled)[:, chosen].sum(axis=1, dtype=np.float64)
        return correct

    def _lost(self, reference: Hits, hits: Hits) -> NDArray[np.float64]:
        """Return (n, K): 1 lost, 0 unchanged, -1 gained, NaN unlabelled."""
        return np.where(self._labelled, reference.astype(np.float64) - hits.astype(np.float64), np.nan)


def _ratio(over: NDArray[np.float64], under: NDArray[np.float64]) -> float:
    return float(over.sum() / under.sum()) if under.sum() > 0 else float("nan")
