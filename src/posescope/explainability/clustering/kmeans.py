"""k-means for several k; the k with the highest mean silhouette is kept.

    starts     k-means++ and Lloyd's algorithm on a sample of the points, several per k
    selection  the start whose centres have the smallest inertia over all points
    refinement Lloyd's algorithm on all points, from the selected centres

The starts only select the local minimum, for which a sample of ten thousand points is enough. With fewer points than the sample
size this is plain k-means. scikit-learn does the work, one fit per thread. There is no GPU version:
docs/decisions/0029-k-means-on-the-cpu.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, pairwise_distances_argmin

from posescope.core.plugins import Component
from posescope.explainability.clustering.base import ClustererOptions, Clustering, sort_by_size, working_dtype
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.clustering.thread_pool import map_in_threads
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import centred_blocks, row_slices, sample_rows

__all__ = ["KMeansClusterer", "KMeansFit", "KMeansOptions", "fit_kmeans"]

_RUNS = 4  # of scikit-learn per k, which share the starts
_COPIES = 2  # of its points that a scikit-learn fit holds: its own, and the differences of their variance


class KMeansOptions(ClustererOptions):
    """Range of k and effort."""

    restarts: int = Field(20, ge=1, le=1000, description="Starts per number of clusters; the smallest inertia is kept")


class KMeansClusterer(Component[KMeansOptions]):
    """Clusterer `kmeans`."""

    def __call__(self, points: NDArray[np.floating], seed: int = 0) -> Clustering:
        """Cluster the points for every k and return the clustering with the highest mean silhouette.

        Args:
            points: (N, P).
            seed: random seed of the starts and of the samples.

        Raises:
            ExplainabilityError: if there are no more points than the smallest k, a value is NaN or infinite, or all points
                coincide.
        """
        found = self.cluster_range(points, seed)
        rows = sample_rows(len(points), self.options.silhouette_persons, seed)
        measured = measure_silhouettes(points, [clustering.labels for clustering in found.values()], rows)
        silhouettes = {k: own.mean for k, own in zip(found, measured, strict=True)}
        best = found[max(silhouettes, key=lambda k: silhouettes[k])]
        return replace(
            best,
            silhouettes=silhouettes,
            inertias={k: clustering.inertias[k] for k, clustering in found.items()},
            restart_agreements={k: own for clustering in found.values() for k, own in clustering.restart_agreements.items()},
        )

    def cluster_range(
        self, points: NDArray[np.floating], seed: int = 0, counts: Iterable[int] | None = None
    ) -> dict[int, Clustering]:
        """Cluster the points for every k. Where points coincide, fewer clusters than requested have points.

        Args:
            points: (N, P).
            seed: random seed of the starts and of the sample.
            counts: values of k below N; none: the range of the options.

        Raises:
            ExplainabilityError: see `__call__`.
        """
        numbers = self.options.counts_for(points, "kmeans") if counts is None else counts
        fits = fit_kmeans(points, numbers, self.options.restarts, self.options.start_persons, seed)
        found = [_sorted(fit) for fit in fits.values() if len(np.unique(fit.labels)) > 1]
        if not found:
            raise ExplainabilityError(f"kmeans: all {len(points)} points coincide; they cannot be clustered.")
        return {len(clustering): clustering for clustering in found}


@dataclass(frozen=True)
class KMeansFit:
    """The result for one k.

    Attributes:
        labels: (N,) int, 0..k-1.
        centres: (k, P).
        inertia: sum of squared distances of the points to the centre of their cluster.
        agreement: mean adjusted Rand index of the labels with those of the other runs, which have a quarter of the starts each;
            none with a single start.
    """

    labels: NDArray[np.integer]
    centres: NDArray[np.floating]
    inertia: float
    agreement: float | None = None


def fit_kmeans(
    points: NDArray[np.floating], counts: Iterable[int], restarts: int, start_persons: int, seed: int
) -> dict[int, KMeansFit]:
    """Fit k-means for several k.

    Memory beside the points: two copies of them while they are centred, then one and, during the refinement, two copies per
    thread, on as many threads as `map_in_threads` finds memory for.

    Args:
        points: (N, P).
        counts: values of k, each at most N.
        restarts: starts per k.
        start_persons: maximum number of points in the starts; never below the largest k.
        seed: random seed of the sample and of the starts.

    Returns:
        The fit by k.
    """
    numbers, mean = list(counts), points.mean(axis=0, dtype=np.float64)
    rows = sample_rows(len(points), max(start_persons, *numbers), seed)
    centred = np.concatenate([block for _, block in centred_blocks(points, mean, working_dtype(points))])
    is_sampled = len(rows) < len(points)
    sample = centred[rows] if is_sampled else centred

    # Several starts per call of scikit-learn: its checks take as long as a short fit.
    runs = min(restarts, _RUNS)
    shares = [restarts // runs + (run < restarts % runs) for run in range(runs)]
    tasks = [(k, share, (seed * runs + run) % 2**32) for k in numbers for run, share in enumerate(shares)]
    starts = map_in_threads(lambda task: _start(sample, *task), tasks, "k-means starts", bytes_each=_COPIES * sample.nbytes)
    if is_sampled:
        starts = map_in_threads(lambda start: _assign(centred, start), starts, "k-means selection")
    by_count = [starts[first : first + runs] for first in range(0, len(starts), runs)]
    best = [min(own, key=lambda start: start.inertia) for own in by_count]
    agreements = [_agreement(one, own) for one, own in zip(best, by_count, strict=True)]
    if is_sampled:
        best = map_in_threads(
            lambda start: _refine(centred, start), best, "k-means refinement", bytes_each=_COPIES * centred.nbytes
        )
    return {
        k: KMeansFit(one.labels, one.centres + mean, one.inertia, agreement)
        for k, one, agreement in zip(numbers, best, agreements, strict=True)
    }


def _sorted(fit: KMeansFit) -> Clustering:
    labels, centres = sort_by_size(fit.labels, fit.centres)
    agreements = {} if fit.agreement is None else {len(centres): fit.agreement}
    return Clustering(labels, centres, inertias={len(centres): fit.inertia}, restart_agreements=agreements)


def _start(points: NDArray[np.floating], k: int, starts: int, seed: int) -> KMeansFit:
    return _result(KMeans(n_clusters=k, n_init=starts, random_state=seed).fit(points))


def _assign(points: NDArray[np.floating], start: KMeansFit) -> KMeansFit:
    """Keep the centres of a start; recompute labels and inertia for all points."""
    labels, inertia = pairwise_distances_argmin(points, start.centres), 0.0
    for rows in row_slices(*points.shape):
        offsets = points[rows] - start.centres[labels[rows]]
        inertia += float(np.einsum("np,np->", offsets, offsets, dtype=np.float64))
    return KMeansFit(labels, start.centres, inertia)


def _refine(points: NDArray[np.floating], start: KMeansFit) -> KMeansFit:
    return _result(KMeans(n_clusters=len(start.centres), init=start.centres, n_init=1).fit(points))


def _result(fit: KMeans) -> KMeansFit:
    return KMeansFit(fit.labels_, fit.cluster_centers_, float(fit.inertia_))


def _agreement(best: KMeansFit, starts: list[KMeansFit]) -> float | None:
    """Mean adjusted Rand index of one start with the others."""
    others = [start for start in starts if start is not best]
    return float(np.mean([adjusted_rand_score(best.labels, one.labels) for one in others])) if others else None
