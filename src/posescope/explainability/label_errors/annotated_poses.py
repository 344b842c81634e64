"""Annotations and predictions of persons in one frame, and their neighbours in feature space."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import row_slices

__all__ = ["AnnotatedPoses", "Doubles", "flip_pairs", "mean_poses", "nearest_persons"]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class AnnotatedPoses:
    """N persons with annotated and predicted joints, in fractions of the crop's longer side, from its left and top edge.

    Attributes:
        annotated: (N, K, 2); NaN where unlabelled.
        predicted: (N, K, 2).
        scores: (N, K) height of the heatmap's peak at the predicted joint.
        codes: (N, P) coordinates in feature space.
        neighbours: (N, M) rows of the nearest persons in feature space (`nearest_persons`), -1 where there are fewer.
        groups: (N,) photograph of each person.
        pairs: (Q, 2) joint numbers, the left joint first.
    """

    annotated: Doubles
    predicted: Doubles
    scores: Doubles
    codes: Doubles
    neighbours: NDArray[np.int64]
    groups: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def __post_init__(self) -> None:
        count, joints = self.scores.shape
        if self.annotated.shape != (count, joints, 2) or self.predicted.shape != (count, joints, 2):
            raise ExplainabilityError(
                f"Annotated poses: expected joints ({count}, {joints}, 2), found {self.annotated.shape} annotated and "
                f"{self.predicted.shape} predicted."
            )
        for name in ("codes", "neighbours", "groups"):
            if (found := len(getattr(self, name))) != count:
                raise ExplainabilityError(f"Annotated poses: expected {name} of {count} persons, found {found}.")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N, K) whether a joint is labelled."""
        return np.asarray(np.isfinite(self.annotated).all(axis=2))

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

    def with_annotations(self, annotated: Doubles) -> "AnnotatedPoses":
        """Return the same persons with other annotations (N, K, 2)."""
        return replace(self, annotated=annotated)


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


def nearest_persons(codes: Doubles, groups: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Find the nearest persons in other photographs.

    Args:
        codes: (N, P) coordinates in feature space.
        groups: (N,) photograph of each person.
        count: number of neighbours.

    Returns:
        (N, min(count, N)) rows in no particular order, -1 where there are fewer.

    Example:
        >>> nearest_persons(np.array([[0.0], [1.0], [5.0]]), np.array([0, 1, 2]), 1).ravel().tolist()
        [1, 0, 1]
    """
    total = len(codes)
    count = min(count, total)
    nearest = np.full((total, count), -1, dtype=np.int64)
    if not count:
        return nearest
    lengths = (codes**2).sum(axis=1)
    for rows in row_slices(total, total):
        apart = lengths - 2 * codes[rows] @ codes.T
        apart[groups[rows][:, None] == groups] = np.inf
        found = np.argpartition(apart, count - 1, axis=1)[:, :count]
        nearest[rows] = np.where(np.isfinite(np.take_along_axis(apart, found, axis=1)), found, -1)
    return nearest


def mean_poses(poses: AnnotatedPoses) -> Doubles:
    """Return the mean annotated joints of each person's neighbours.

    Args:
        poses: N persons.

    Returns:
        (N, K, 2); the person's own predicted joint where no neighbour has the joint.
    """
    usable = poses.labelled[poses.neighbours] & (poses.neighbours >= 0)[..., None]
    counts = usable.sum(axis=1)[..., None]
    sums = (np.nan_to_num(poses.annotated)[poses.neighbours] * usable[..., None]).sum(axis=1)
    means = poses.predicted.copy()
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
