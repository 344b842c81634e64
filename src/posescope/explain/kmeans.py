"""k-means with k chosen by the silhouette, and that silhouette's honest value."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from posescope.explain.errors import ExplainError
from posescope.plugins import Options

__all__ = ["Clustering", "KMeansClusterer", "KMeansOptions"]

_FEW_NUMBERS = 2_000_000


@dataclass(frozen=True)
class Clustering:
    """A division of N points into Q clusters, ordered from the largest to the smallest.

    Attributes:
        labels: (N,) int64, 0..Q-1.
        centres: (Q, P) float64.
        silhouettes: mean silhouette, -1..1, of every number of clusters tried, by that number.
    """

    labels: NDArray[np.int64]
    centres: NDArray[np.float64]
    silhouettes: Mapping[int, float]

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def silhouette(self) -> float:
        """Of the division itself."""
        return self.silhouettes[len(self)]


class KMeansOptions(Options):
    """Numbers of clusters to try, and how hard."""

    smallest: int = Field(2, ge=2, le=100, description="Fewest clusters tried")
    largest: int = Field(10, ge=2, le=100, description="Most clusters tried")
    restarts: int = Field(10, ge=1, le=1000, description="Starts a number of clusters; the tightest result counts")
    silhouette_persons: int = Field(2000, ge=10, description="Silhouettes are taken over this many points, at most")

    @model_validator(mode="after")
    def _in_order(self) -> "KMeansOptions":
        if self.largest < self.smallest:
            raise ValueError(f"largest ({self.largest}) must not be below smallest ({self.smallest})")
        return self


class KMeansClusterer:
    """Clusterer `kmeans`: tries several k and keeps the one with the highest silhouette."""

    Options = KMeansOptions

    def __init__(self, options: KMeansOptions) -> None:
        self.options = options

    def __call__(self, points: NDArray[np.float64], seed: int = 0) -> Clustering:
        """Divide (N, P) points.

        Raises:
            ExplainError: if there are not more points than the fewest clusters.
        """
        largest = min(self.options.largest, len(points) - 1)
        if largest < self.options.smallest:
            raise ExplainError(f"kmeans: expected more than {self.options.smallest} points, found {len(points)}.")
        fits, silhouettes = {}, {}
        for k in tqdm(range(self.options.smallest, largest + 1), desc="k-means", leave=False):
            with _threads_for(points):
                fits[k] = KMeans(n_clusters=k, n_init=self.options.restarts, random_state=seed).fit(points)
            silhouettes[k] = self._silhouette(points, fits[k].labels_, seed)
        best = fits[max(silhouettes, key=lambda k: silhouettes[k])]
        order = np.argsort(-np.bincount(best.labels_, minlength=len(best.cluster_centers_)), kind="stable")
        return Clustering(
            labels=np.argsort(order)[best.labels_].astype(np.int64),
            centres=best.cluster_centers_[order].astype(np.float64),
            silhouettes=silhouettes,
        )

    def _silhouette(self, points: NDArray[np.float64], labels: NDArray[np.int32], seed: int) -> float:
        most = self.options.silhouette_persons
        rows = np.arange(len(points))
        if len(points) > most:
            rows = np.random.default_rng(seed).choice(len(points), size=most, replace=False)
        kinds = len(np.unique(labels[rows]))
        # Undefined where points coincide (or a rare cluster is missed by the sample): no evidence for clusters.
        return float(silhouette_score(points[rows], labels[rows])) if 2 <= kinds < len(rows) else 0.0


def _threads_for(points: NDArray[np.float64]) -> AbstractContextManager[object]:
    # On few numbers the threads wait for one another more than they work: 15 times slower where other work shares the cores.
    limits: AbstractContextManager[object] = threadpool_limits(1) if points.size <= _FEW_NUMBERS else nullcontext()
    return limits
