"""Silhouettes (Rousseeuw, 1987): how much nearer a point is to its own cluster than to the next one.

    a = mean distance to the other points of its cluster      b = mean distance to the points of the nearest other cluster
    s = (b - a) / max(a, b)                                    1 well inside, 0 between two clusters, -1 in the wrong cluster

Distances are Euclidean. They are computed block by block from matrix products, so no N x N matrix is held. All labellings of the
same points share them: distances times one-hot labels are the sums to every cluster of every labelling.
Where there are too many points for all pairs, a sample is measured against all points: its mean is an unbiased estimate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.clustering.base import working_dtype
from posescope.explainability.clustering.thread_pool import map_in_threads
from posescope.explainability.features.row_blocks import centred_blocks

__all__ = ["LOW_SILHOUETTE", "Silhouettes", "describe_structure", "measure_silhouettes"]

_ROWS, _COLUMNS = 256, 4096  # of a block of distances: 4 MB in float32, which fits in the cache

# Kaufman and Rousseeuw (1990), Finding Groups in Data, table 4 of chapter 2: upper bound of the mean silhouette -> description
LOW_SILHOUETTE = 0.25
_DESCRIPTIONS = (
    (LOW_SILHOUETTE, "no substantial structure"),
    (0.50, "a weak structure that could be artificial"),
    (0.70, "a reasonable structure"),
)
_STRONG = "a strong structure"


@dataclass(frozen=True)
class Silhouettes:
    """Silhouettes of n points in one labelling.

    Attributes:
        values: (n,) silhouettes, -1..1; 0 for the only point of a cluster, and where all points coincide.
        own: (n,) mean distance to the other points of the own cluster; 0 for the only point of a cluster.
    """

    values: NDArray[np.float64]
    own: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean silhouette."""
        return float(self.values.mean())


def describe_structure(silhouette: float) -> str:
    """Return Kaufman and Rousseeuw's description of a mean silhouette."""
    return next((description for most, description in _DESCRIPTIONS if silhouette <= most), _STRONG)


def measure_silhouettes(
    points: NDArray[np.floating], labellings: Sequence[NDArray[np.integer]], rows: NDArray[np.int64] | None = None
) -> list[Silhouettes]:
    """Return the silhouettes of some points in several labellings of all points.

    Memory beside the points: one copy of them, and blocks.

    Args:
        points: (N, P).
        labellings: (N,) labels each, 0..Q-1, with at least two clusters that are not empty.
        rows: (n,) rows of the points that are measured, each against all points; none: all.

    Returns:
        One per labelling, points in the order of `rows`.
    """
    rows = np.arange(len(points)) if rows is None else rows
    sizes = [np.bincount(labels) for labels in labellings]
    sums = _sum_distances(points, labellings, rows)
    edges = np.cumsum([0, *(len(own) for own in sizes)])
    return [
        _silhouettes(sums[:, first:last], labels[rows], own)
        for first, last, labels, own in zip(edges, edges[1:], labellings, sizes, strict=False)
    ]


def _sum_distances(
    points: NDArray[np.floating], labellings: Sequence[NDArray[np.integer]], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, sum of Q) summed distances from the points at `rows` to every cluster of every labelling."""
    blocks = _Blocks.of(points, labellings)
    starts = range(0, len(rows), _ROWS)
    return np.concatenate(map_in_threads(lambda start: blocks.sums(rows[start : start + _ROWS]), starts, "silhouettes"))


@dataclass(frozen=True)
class _Blocks:
    """Factors of the matrix product |x - y|^2 = (-2 x, |x|^2, 1) . (y, 1, |y|^2), and one-hot labels."""

    right: NDArray[np.floating]  # (N, P + 2); of the left factor only the current rows are held
    members: NDArray[np.floating]  # (N, sum of Q)

    @classmethod
    def of(cls, points: NDArray[np.floating], labellings: Sequence[NDArray[np.integer]]) -> "_Blocks":
        dtype, (count, width) = working_dtype(points), points.shape
        right = np.ones((count, width + 2), dtype=dtype)
        # Centred, since squares lose digits far from the origin.
        for rows, centred in centred_blocks(points, points.mean(axis=0, dtype=np.float64), dtype):
            right[rows, :width] = centred
            right[rows, width + 1] = np.einsum("np,np->n", centred, centred)
        return cls(right, np.hstack([np.eye(labels.max() + 1, dtype=dtype)[labels] for labels in labellings]))

    def sums(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, sum of Q) for the points at `rows`."""
        total, left = np.zeros((len(rows), self.members.shape[1])), self._left(rows)
        for here in self._columns():
            distances = left @ self.right[here].T
            np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
            inside = np.flatnonzero((rows >= here.start) & (rows < here.stop))
            distances[inside, rows[inside] - here.start] = 0  # the distance to itself is exactly 0
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
    index = np.arange(len(labels))
    own = sums[index, labels] / np.maximum(sizes[labels] - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(sizes > 0, sums / sizes, np.inf)
    means[index, labels] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(own, other)
    values = np.divide(other - own, larger, out=np.zeros_like(larger), where=(larger > 0) & (sizes[labels] > 1))
    return Silhouettes(values, own)
