"""Fitting k-means for several k, several starts each, on many points.

    starts     k-means++ and Lloyd on a sample of the points, each start and each k by itself, side by side on the cores
    winner     the start whose centres leave the smallest inertia over **all** points
    polish     Lloyd on all points from the winner's centres

The starts only decide which valley is descended; a sample of ten thousand decides that as well as everybody, and Lloyd on all
points then ends where it would have ended from them. With fewer points than the sample holds this is plain k-means.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from posescope.explain.base import sample_rows
from posescope.explain.clustering import nearest_centres
from posescope.explain.threads import map_in_threads

__all__ = ["KMeansFit", "fit_kmeans"]

_FEW_NUMBERS = 2_000_000  # coordinates up to which float64 costs nothing


@dataclass(frozen=True)
class KMeansFit:
    """One k.

    Attributes:
        labels: (N,) int, 0..k-1.
        centres: (k, P).
        inertia: sum of squared distances to the own centre.
        agreement: mean adjusted Rand index of the labels with those of the other starts; none with a single start.
    """

    labels: NDArray[np.integer]
    centres: NDArray[np.floating]
    inertia: float
    agreement: float | None


def fit_kmeans(
    points: NDArray[np.floating], counts: Iterable[int], restarts: int, start_persons: int, seed: int
) -> dict[int, KMeansFit]:
    """k-means for every k of `counts`.

    Args:
        points: (N, P).
        counts: numbers of clusters, each at most N.
        restarts: starts a number of clusters.
        start_persons: points on which the starts compete, at most; at least as many as the most clusters are taken.
        seed: of the sample and the starts.
    """
    numbers, middle = list(counts), points.mean(axis=0, dtype=np.float64)
    # Lloyd on float32 gives the same division in half the time and memory.
    centred = (points - middle).astype(np.float64 if points.size <= _FEW_NUMBERS else np.float32)
    rows = sample_rows(len(centred), max(start_persons, *numbers), seed)
    sample = centred if len(rows) == len(centred) else centred[rows]
    tasks = [(k, seed * restarts + restart) for k in numbers for restart in range(restarts)]
    starts = map_in_threads(lambda task: _start(sample, *task), tasks, "k-means")
    by_count = [starts[first : first + restarts] for first in range(0, len(starts), restarts)]
    fits = map_in_threads(lambda own: _finish(centred, own, sampled=sample is not centred), by_count, "k-means of everybody")
    return {k: _moved(fit, middle) for k, fit in zip(numbers, fits, strict=True)}


@dataclass(frozen=True)
class _Start:
    labels: NDArray[np.int32]
    centres: NDArray[np.floating]
    inertia: float

    def of(self, points: NDArray[np.floating]) -> "_Start":
        """The same centres, with the labels and the inertia of other points."""
        labels = nearest_centres(points, self.centres).astype(np.int32)
        apart = points - self.centres[labels]
        return _Start(labels, self.centres, float(np.einsum("np,np->", apart, apart, dtype=np.float64)))


def _start(points: NDArray[np.floating], k: int, seed: int) -> _Start:
    fit = KMeans(n_clusters=k, n_init=1, random_state=seed % 2**32).fit(points)
    return _Start(fit.labels_, fit.cluster_centers_, float(fit.inertia_))


def _finish(points: NDArray[np.floating], starts: list[_Start], *, sampled: bool) -> KMeansFit:
    everywhere = [start.of(points) for start in starts] if sampled else starts
    best = min(everywhere, key=lambda start: start.inertia)
    others = [start for start in everywhere if start is not best]
    agreement = float(np.mean([adjusted_rand_score(best.labels, one.labels) for one in others])) if others else None
    if not sampled:
        return KMeansFit(best.labels, best.centres, best.inertia, agreement)
    fit = KMeans(n_clusters=len(best.centres), init=best.centres, n_init=1).fit(points)
    return KMeansFit(fit.labels_, fit.cluster_centers_, float(fit.inertia_), agreement)


def _moved(fit: KMeansFit, middle: NDArray[np.float64]) -> KMeansFit:
    return KMeansFit(fit.labels, fit.centres + middle, fit.inertia, fit.agreement)
