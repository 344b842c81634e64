"""Annotations and predictions of persons in one frame, and their neighbours in feature space."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import row_slices

__all__ = ["AnnotatedPoses", "Doubles", "flip_pairs", "neighbour_means", "swap_pair"]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class AnnotatedPoses:
    """N persons with annotated and predicted joints, in fractions of the crop's side (0: left or top, 1: right or bottom).

    Attributes:
        annotated: (N, K, 2); NaN where unlabelled.
        predicted: (N, K, 2).
        scores: (N, K) height of the heatmap's peak at the predicted joint.
        codes: (N, P) coordinates in feature space.
        groups: (N,) photograph of each person.
        pairs: (Q, 2) joint numbers, the left joint first.
    """

    annotated: Doubles
    predicted: Doubles
    scores: Doubles
    codes: Doubles
    groups: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def __post_init__(self) -> None:
        count, joints = self.scores.shape
        if self.annotated.shape != (count, joints, 2) or self.predicted.shape != (count, joints, 2):
            raise ExplainabilityError(
                f"Annotated poses: expected joints ({count}, {joints}, 2), found {self.annotated.shape} annotated and "
                f"{self.predicted.shape} predicted."
            )
        if len(self.codes) != count or len(self.groups) != count:
            raise ExplainabilityError(
                f"Annotated poses: expected codes and photographs of {count} persons, found {len(self.codes)} and "
                f"{len(self.groups)}."
            )

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N, K) whether a joint is labelled."""
        return np.isfinite(self.annotated).all(axis=2)

    @property
    def labelled_pairs(self) -> NDArray[np.bool_]:
        """(N, Q) whether both joints of a pair are labelled."""
        return np.asarray(self.labelled[:, self.pairs].all(axis=2))

    @property
    def completed(self) -> Doubles:
        """(N, K, 2) annotated joints, and predicted ones where a joint is unlabelled."""
        return np.where(self.labelled[..., None], self.annotated, self.predicted)

    def offsets(self, joints: Doubles) -> Doubles:
        """Return (N, Q, 2), left minus right joint of each pair.

        Args:
            joints: (N, K, 2).
        """
        return np.asarray(joints[:, self.pairs[:, 0]] - joints[:, self.pairs[:, 1]])

    def subset(self, rows: NDArray[np.int64]) -> "AnnotatedPoses":
        """Return the persons at `rows`, in this order."""
        arrays = {name: getattr(self, name)[rows] for name in ("annotated", "predicted", "scores", "codes", "groups")}
        return replace(self, **arrays)


def flip_pairs(flip_indices: Sequence[int]) -> NDArray[np.int64]:
    """Return the pairs of joints that mirror each other.

    Args:
        flip_indices: (K,) for each joint its mirrored joint, itself if it has none.

    Returns:
        (Q, 2) joint numbers, the smaller one first.

    Example:
        >>> flip_pairs((0, 2, 1)).tolist()
        [[1, 2]]
    """
    pairs = [(joint, other) for joint, other in enumerate(flip_indices) if joint < other]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def swap_pair(joints: NDArray[np.floating], left: int, right: int) -> NDArray[np.floating]:
    """Return joints with two of them exchanged.

    Args:
        joints: (..., K, 2).
        left, right: joint numbers.
    """
    swapped = joints.copy()
    swapped[..., [left, right], :] = joints[..., [right, left], :]
    return swapped


def neighbour_means(poses: AnnotatedPoses, neighbours: int) -> Doubles:
    """Return the mean annotated joints of the nearest persons in feature space that are in other photographs.

    Args:
        poses: N persons.
        neighbours: number of neighbours per person.

    Returns:
        (N, K, 2); the predicted joint where no neighbour has the joint.
    """
    labelled, filled = poses.labelled, np.nan_to_num(poses.annotated)
    lengths = (poses.codes**2).sum(axis=1)
    means = poses.predicted.copy()
    for rows in row_slices(len(poses), len(poses)):
        apart = lengths - 2 * poses.codes[rows] @ poses.codes.T
        apart[poses.groups[rows][:, None] == poses.groups] = np.inf
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :neighbours]
        usable = labelled[nearest] & np.isfinite(np.take_along_axis(apart, nearest, axis=1))[..., None]
        counts = usable.sum(axis=1)[..., None]
        sums = (filled[nearest] * usable[..., None]).sum(axis=1)
        np.divide(sums, counts, out=means[rows], where=counts > 0)
    return means
