"""Interface of the components of `posescope.clusterers`, and helpers that they share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from posescope.core.plugins import Options
from posescope.explainability.errors import ExplainabilityError

__all__ = [
    "Clusterer",
    "ClustererOptions",
    "Clustering",
    "RangeClusterer",
    "cluster_range",
    "sort_by_size",
    "working_dtype",
]

_FLOAT64_VALUES = 2_000_000  # up to so many coordinates float64 is as fast as float32


@dataclass(frozen=True)
class Clustering:
    """An assignment of N points to Q clusters, ordered from the largest cluster to the smallest.

    Attributes:
        labels: (N,) int64, 0..Q-1; no cluster is empty.
        centres: (Q, P) float64.
        silhouettes: mean silhouette, -1..1, by number of clusters tried.
        inertias: sum of squared distances of the points to the centre of their cluster, by number of clusters tried; optional.
        restart_agreements: mean adjusted Rand index between the result and the other starts, by number of clusters tried;
            optional.
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
                f"Clustering: expected the labels 0..{len(self.centres) - 1} for {len(self.centres)} centres, with at least two "
                f"clusters and none of them empty; found the labels {found.tolist()[:20]}."
            )

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(Q,) points per cluster."""
        return np.bincount(self.labels, minlength=len(self)).astype(np.int64)

    @property
    def silhouette(self) -> float:
        """Mean silhouette of this clustering."""
        return self.silhouettes[len(self)]


class ClustererOptions(Options):
    """Options that the clusterers share."""

    smallest: int = Field(2, ge=2, le=100, description="Smallest number of clusters tried")
    largest: int = Field(10, ge=2, le=100, description="Largest number of clusters tried")
    start_persons: int = Field(
        10_000, ge=10, description="Maximum number of points that each start is fitted to; all points are labelled"
    )
    silhouette_persons: int = Field(
        10_000, ge=10, description="Maximum number of points with a silhouette, each against all points; exact for fewer points"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.largest < self.smallest:
            raise ValueError(f"largest ({self.largest}) must not be below smallest ({self.smallest})")
        return self

    def counts_for(self, points: NDArray[np.floating], name: str) -> range:
        """Return the numbers of clusters to try for (N, P) finite points: all of the range below N.

        Args:
            points: (N, P).
            name: name of the component, for the messages.

        Raises:
            ExplainabilityError: if there are no more points than the smallest number, or a value is NaN or infinite.
        """
        with np.errstate(invalid="ignore"):  # infinities of both signs sum to NaN
            sums = points.sum(axis=1, dtype=np.float64)
        faulty = np.flatnonzero(~np.isfinite(sums))
        if len(faulty):
            raise ExplainabilityError(
                f"{name}: expected finite values; {len(faulty)} of {len(points)} rows have NaN or infinite ones, row {faulty[0]} "
                "first. Compute the features again (pipeline explainability)."
            )
        if len(points) <= self.smallest:
            raise ExplainabilityError(f"{name}: expected more than {self.smallest} points, found {len(points)}.")
        return range(self.smallest, min(self.largest, len(points) - 1) + 1)


class Clusterer(Protocol):
    """An instance of a component of `posescope.clusterers`."""

    def __call__(self, points: NDArray[np.floating], seed: int = 0) -> Clustering:
        """Cluster (N, P) points, float32 or float64."""
        ...


@runtime_checkable
class RangeClusterer(Protocol):
    """A clusterer that gives its result for every number of clusters that it tries, not only for the one that it selects."""

    def cluster_range(
        self, points: NDArray[np.floating], seed: int = 0, counts: Iterable[int] | None = None
    ) -> dict[int, Clustering]:
        """Cluster (N, P) points into each of these numbers of clusters; none: all of the clusterer's own range below N.

        The results have no silhouettes. A number is missing where the points do not fill so many clusters.
        """
        ...


def cluster_range(
    clusterer: Clusterer, points: NDArray[np.floating], seed: int = 0, counts: Iterable[int] | None = None
) -> dict[int, Clustering]:
    """Return the result of a clusterer by number of clusters.

    Args:
        clusterer: any clusterer. One that has no `cluster_range` gives the number of clusters that it selects only.
        points: (N, P).
        seed: random seed of the clusterer.
        counts: numbers of clusters; none: those that the clusterer tries.
    """
    if isinstance(clusterer, RangeClusterer):
        return clusterer.cluster_range(points, seed, counts)
    found = clusterer(points, seed=seed)
    return {len(found): found}


def working_dtype(points: NDArray[np.floating]) -> type[np.floating]:
    """Return float64 for few coordinates, else float32, which gives the same clusters in half the time and memory."""
    return np.float64 if points.size <= _FLOAT64_VALUES else np.float32


def sort_by_size(labels: NDArray[np.integer], centres: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Renumber clusters from the largest to the smallest and drop empty ones.

    Args:
        labels: (N,) 0..Q-1.
        centres: (Q, P).

    Returns:
        The new labels (N,) and centres.
    """
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    new = np.full(len(centres), -1)
    new[order] = np.arange(len(order))
    renumbered: NDArray[np.int64] = new[labels].astype(np.int64)
    return renumbered, centres[order].astype(np.float64)
