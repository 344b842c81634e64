"""Silhouettes (Rousseeuw, 1987): how much nearer a person is to its own cluster than to the next one.

    a = mean distance to the others of its own cluster      b = mean distance to the persons of the next cluster
    s = (b - a) / max(a, b)                                  1 well inside, 0 on the border, -1 in the wrong cluster

Distances are Euclidean and come in blocks out of matrix products, so nothing of size N x N is ever held. All divisions of the
same points share them: distances times one-hot labels are the sums to every cluster of every division at once.
Where there are too many persons for all pairs, a sample of persons is measured **against everybody**: their mean is an unbiased
estimate of everybody's, and its interval says how sure it is. On a GPU torch takes the distances (`silhouettes_on_device`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from posescope.explainability.clustering.thread_pool import map_in_threads
from posescope.explainability.clustering.torch_backend import sum_distances_on
from posescope.explainability.features.row_blocks import centred_blocks

__all__ = ["LOW_SILHOUETTE", "Silhouettes", "describe_structure", "measure_silhouettes"]

_FEW_NUMBERS = 2_000_000  # coordinates up to which float64 costs nothing
_ROWS, _COLUMNS = 256, 4096  # of a block of distances: 4 MB in float32, which stays in the cache

# Kaufman and Rousseeuw (1990), Finding Groups in Data, table 4 of chapter 2: mean silhouette up to -> their words
LOW_SILHOUETTE = 0.25
_WORDS = (
    (LOW_SILHOUETTE, "no substantial structure"),
    (0.50, "a weak structure that could be artificial"),
    (0.70, "a reasonable structure"),
)
_STRONG = "a strong structure"


@dataclass(frozen=True)
class Silhouettes:
    """Of n persons in one division.

    Attributes:
        own: (n,) mean distance to the others of the own cluster, 0 for somebody alone in it.
        other: (n,) mean distance to the persons of the nearest other cluster.
        alone: (n,) whether the person is the only one of its cluster.
    """

    own: NDArray[np.float64]
    other: NDArray[np.float64]
    alone: NDArray[np.bool_]

    @property
    def values(self) -> NDArray[np.float64]:
        """(n,) silhouettes, -1..1; 0 for somebody alone in a cluster, and where all points coincide."""
        larger = np.maximum(self.own, self.other)
        values = np.divide(self.other - self.own, larger, out=np.zeros_like(larger), where=larger > 0)
        values[self.alone] = 0.0
        return values

    @property
    def mean(self) -> float:
        """Mean silhouette."""
        return float(self.values.mean())


def describe_structure(silhouette: float) -> str:
    """Kaufman and Rousseeuw's words for a mean silhouette of that size."""
    return next((words for most, words in _WORDS if silhouette <= most), _STRONG)


def measure_silhouettes(
    points: NDArray[np.floating],
    divisions: Sequence[NDArray[np.integer]],
    rows: NDArray[np.int64] | None = None,
    device: torch.device | None = None,
) -> list[Silhouettes]:
    """Silhouettes of the persons at `rows` in each of several divisions of the same N points.

    Memory beside the points: one copy of them, on the device where there is one, and blocks.

    Args:
        points: (N, P).
        divisions: (N,) labels each, 0..Q-1, with at least two clusters that have persons.
        rows: (n,) whom; none: everybody.
        device: where torch takes the distances; none: the CPU, by NumPy.

    Returns:
        One a division, persons in the order of `rows`.
    """
    rows = np.arange(len(points)) if rows is None else rows
    counts = [np.bincount(labels) for labels in divisions]
    dtype = np.float64 if points.size <= _FEW_NUMBERS else np.float32
    if device is None:
        sums = _sum_distances(points, dtype, divisions, rows)
    else:
        sums = sum_distances_on(device, points, dtype, divisions, rows)
    edges = np.cumsum([0, *(len(sizes) for sizes in counts)])
    return [
        _silhouettes(sums[:, first:last], labels[rows], sizes)
        for first, last, labels, sizes in zip(edges, edges[1:], divisions, counts, strict=False)
    ]


def _sum_distances(
    points: NDArray[np.floating], dtype: type[np.floating], divisions: Sequence[NDArray[np.integer]], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, sum of Q) summed distances from the points at `rows` to every cluster of every division."""
    plan = _Blocks.of(points, dtype, divisions)
    starts = range(0, len(rows), _ROWS)
    return np.concatenate(map_in_threads(lambda start: plan.sums(rows[start : start + _ROWS]), starts, "silhouettes"))


@dataclass(frozen=True)
class _Blocks:
    """Coordinates and one-hot labels, ready for matrix products: |x - y|^2 = (-2 x, |x|^2, 1) . (y, 1, |y|^2)."""

    right: NDArray[np.floating]  # (N, P + 2); of the left factor only the rows at work are ever held
    members: NDArray[np.floating]  # (N, sum of Q)

    @classmethod
    def of(cls, points: NDArray[np.floating], dtype: type[np.floating], divisions: Sequence[NDArray[np.integer]]) -> "_Blocks":
        count, width = points.shape
        right = np.ones((count, width + 2), dtype=dtype)
        # The squares lose digits far from the origin.
        for rows, centred in centred_blocks(points, points.mean(axis=0, dtype=np.float64), dtype):
            right[rows, :width] = centred
            right[rows, width + 1] = np.einsum("np,np->n", centred, centred)
        return cls(right, np.hstack([np.eye(labels.max() + 1, dtype=dtype)[labels] for labels in divisions]))

    def sums(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, sum of Q) for the points at `rows`."""
        total, left = np.zeros((len(rows), self.members.shape[1])), self._left(rows)
        for here in self._columns():
            distances = left @ self.right[here].T
            np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
            inside = np.flatnonzero((rows >= here.start) & (rows < here.stop))
            distances[inside, rows[inside] - here.start] = 0  # to oneself, exactly
            total += distances @ self.members[here]
        return total

    def _left(self, rows: NDArray[np.int64]) -> NDArray[np.floating]:
        own = self.right[rows]
        squares = own[:, -1].copy()
        own[:, :-2] *= -2
        own[:, -2], own[:, -1] = squares, 1
        return own

    def _columns(self) -> Iterator[slice]:
        return (slice(start, start + _COLUMNS) for start in range(0, len(self.right), _COLUMNS))


def _silhouettes(sums: NDArray[np.float64], labels: NDArray[np.integer], sizes: NDArray[np.int64]) -> Silhouettes:
    place = np.arange(len(labels))
    alone = sizes[labels] == 1
    own = sums[place, labels] / np.maximum(sizes[labels] - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(sizes > 0, sums / sizes, np.inf)
    means[place, labels] = np.inf
    return Silhouettes(own=own, other=means.min(axis=1), alone=alone)
