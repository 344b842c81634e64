"""What a component of `posescope.clusterers` returns, and what else it may offer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.errors import ExplainabilityError

__all__ = [
    "Clusterer",
    "Clustering",
    "QuickClusterer",
    "check_finite",
    "nearest_centres",
    "quick_variant",
    "sort_by_size",
    "Division",
]


@dataclass(frozen=True)
class Clustering:
    """A division of N points into Q clusters, ordered from the largest to the smallest.

    Attributes:
        labels: (N,) int64, 0..Q-1, each with at least one point.
        centres: (Q, P) float64.
        silhouettes: mean silhouette, -1..1, of every number of clusters tried, by that number.
        inertias: likewise, the sum of squared distances from each point to its cluster's centre; may be left out.
        restart_agreements: likewise, mean adjusted Rand index between the division kept and those of the other starts; may be
            left out.
    """

    labels: NDArray[np.int64]
    centres: NDArray[np.float64]
    silhouettes: Mapping[int, float] = field(default_factory=dict)
    inertias: Mapping[int, float] = field(default_factory=dict)
    restart_agreements: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = np.unique(self.labels)
        if not np.array_equal(found, np.arange(len(self.centres))) or len(found) < 2:
            raise ExplainabilityError(
                f"Clustering: expected labels 0..{len(self.centres) - 1} for {len(self.centres)} centres, at least two and each "
                f"with a point; found the labels {found.tolist()[:20]}."
            )

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(Q,) persons of each cluster."""
        return np.bincount(self.labels, minlength=len(self)).astype(np.int64)

    @property
    def silhouette(self) -> float:
        """Of the division itself."""
        return self.silhouettes[len(self)]


class Clusterer(Protocol):
    """A component of `posescope.clusterers`, built."""

    def __call__(self, points: NDArray[np.floating], seed: int = 0) -> Clustering:
        """Divide (N, P) points, float32 or float64."""
        ...


@runtime_checkable
class QuickClusterer(Protocol):
    """A clusterer that also offers a cheaper one of its kind, for the controls, which cluster many times over."""

    def quicker(self, clusters: int | None = None) -> Clusterer:
        """One that makes so many clusters; none: that tries every number that this one tries."""
        ...


def quick_variant(clusterer: Clusterer, clusters: int | None = None) -> Clusterer:
    """The cheaper one of its kind where it offers one, else the clusterer itself."""
    return clusterer.quicker(clusters) if isinstance(clusterer, QuickClusterer) else clusterer


def check_finite(points: NDArray[np.floating], name: str) -> None:
    """Accept only points without NaN and infinite numbers.

    Args:
        points: (N, P).
        name: of the component that was given them, for the message.

    Raises:
        ExplainError: naming the first row that has one.
    """
    with np.errstate(invalid="ignore"):  # infinite numbers of both signs sum to NaN
        sums = points.sum(axis=1, dtype=np.float64)
    faulty = np.flatnonzero(~np.isfinite(sums))
    if len(faulty):
        raise ExplainabilityError(
            f"{name}: expected finite numbers; {len(faulty)} of {len(points)} rows have NaN or infinite ones, row {faulty[0]} "
            "first. Compute the features again (pipeline explainability)."
        )


def nearest_centres(points: NDArray[np.floating], centres: NDArray[np.floating]) -> NDArray[np.int64]:
    """(N, P) points, (Q, P) centres -> (N,) the nearest centre of each; the first of equals."""
    # Of |x - c|^2 = |x|^2 - 2 x.c + |c|^2 the first term is the same for all centres; measured from the centres' middle.
    middle = centres.mean(axis=0)
    shifted = (centres - middle).astype(points.dtype)
    offsets = (shifted**2).sum(axis=1) + 2 * shifted @ middle.astype(points.dtype)
    nearest: NDArray[np.int64] = np.argmin(offsets - points @ (2 * shifted).T, axis=1).astype(np.int64)
    return nearest


def sort_by_size(labels: NDArray[np.integer], centres: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (N,) and centres (Q, P) renumbered from the largest cluster to the smallest; empty clusters go."""
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    new = np.full(len(centres), -1)
    new[order] = np.arange(len(order))
    renumbered: NDArray[np.int64] = new[labels].astype(np.int64)
    return renumbered, centres[order].astype(np.float64)


# MERGED from kmeans_division: What one start of k-means arrived at.


@dataclass(frozen=True)
class Division:
    """Of N points into k clusters.

    Attributes:
        labels: (N,) int32, 0..k-1.
        centres: (k, P), measured from the middle of all points.
        inertia: sum of squared distances to the own centre.
    """

    labels: NDArray[np.int32]
    centres: NDArray[np.floating]
    inertia: float
