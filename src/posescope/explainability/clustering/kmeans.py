"""Fitting k-means for several k, several starts each, on many points.

    starts     k-means++ and Lloyd on a sample of the points, for each k several of them
    winner     the start whose centres leave the smallest inertia over **all** points
    polish     Lloyd on all points from the winner's centres

The starts only decide which valley is descended; a sample of ten thousand decides that as well as everybody, and Lloyd on all
points then ends where it would have ended from them. With fewer points than the sample holds this is plain k-means.
On the CPU the work is scikit-learn's (`kmeans_in_threads`), on a GPU torch's (`kmeans_on_device`), from other starts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from posescope.artifacts.devices import DEVICE_PATTERN, resolve_gpu
from posescope.core.plugins import Options
from posescope.explainability.clustering.base import Clustering, Division, check_finite, nearest_centres, sort_by_size
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.clustering.thread_pool import map_in_threads
from posescope.explainability.clustering.torch_backend import KMeansOnDevice
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import centre_rows, row_slices, sample_rows

__all__ = ["KMeansFit", "fit_kmeans", "KMeansInThreads", "Clustering", "KMeansClusterer", "KMeansOptions"]

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
    points: NDArray[np.floating],
    counts: Iterable[int],
    restarts: int,
    start_persons: int,
    seed: int,
    device: torch.device | None = None,
) -> dict[int, KMeansFit]:
    """k-means for every k of `counts`.

    Memory beside the points: one copy of them, on the device where there is one; on the CPU, while the winners go on, two
    copies more a thread, on as many threads as `map_in_threads` finds memory for.

    Args:
        points: (N, P).
        counts: numbers of clusters, each at most N.
        restarts: starts a number of clusters.
        start_persons: points on which the starts compete, at most; at least as many as the most clusters are taken.
        seed: of the sample and the starts.
        device: where torch does the work; none: the CPU, by scikit-learn.
    """
    numbers, middle = list(counts), points.mean(axis=0, dtype=np.float64)
    # Lloyd on float32 gives the same division in half the time and memory.
    dtype = np.float64 if points.size <= _FEW_NUMBERS else np.float32
    rows = sample_rows(len(points), max(start_persons, *numbers), seed)
    work = KMeansInThreads(points, middle, dtype, rows) if device is None else KMeansOnDevice(points, middle, dtype, rows, device)
    starts = work.start([(k, seed * restarts + restart) for k in numbers for restart in range(restarts)])
    sampled = len(rows) < len(points)
    if sampled:
        starts = work.divide_everybody(starts)
    by_count = [starts[first : first + restarts] for first in range(0, len(starts), restarts)]
    best = [min(own, key=lambda start: start.inertia) for own in by_count]
    agreements = [_agreement(one, own) for one, own in zip(best, by_count, strict=True)]
    final = work.polish(best) if sampled else best
    return {
        k: KMeansFit(one.labels, one.centres + middle, one.inertia, agreement)
        for k, one, agreement in zip(numbers, final, agreements, strict=True)
    }


def _agreement(best: Division, starts: list[Division]) -> float | None:
    """Mean adjusted Rand index of a division with those of the other starts."""
    others = [start for start in starts if start is not best]
    return float(np.mean([adjusted_rand_score(best.labels, one.labels) for one in others])) if others else None


# MERGED from kmeans_in_threads: The steps of a k-means fit on the CPU: scikit-learn's, each calculation on one thread,
# side by side on the cores.

_COPIES = 2  # of its points that a fit of scikit-learn holds: its own, and the differences of their variance


class KMeansInThreads:
    """Starts, their reckoning with everybody, and the last descent.

    Args:
        points: (N, P).
        middle: (P,) their mean.
        dtype: in which the work is done.
        rows: (n,) of the points on which the starts compete.
    """

    def __init__(
        self, points: NDArray[np.floating], middle: NDArray[np.float64], dtype: type[np.floating], rows: NDArray[np.int64]
    ) -> None:
        self._points = centre_rows(points, middle, dtype)
        self._sample = self._points if len(rows) == len(points) else self._points[rows]

    def start(self, tasks: Sequence[tuple[int, int]]) -> list[Division]:
        """k-means++ and Lloyd on the sample, for each k and seed."""
        return map_in_threads(self._start, tasks, "k-means", bytes_each=_COPIES * self._sample.nbytes)

    def divide_everybody(self, starts: Sequence[Division]) -> list[Division]:
        """The same centres, with the labels and the inertia of all points."""
        return map_in_threads(self._divide_everybody, starts, "k-means of everybody")

    def polish(self, starts: Sequence[Division]) -> list[Division]:
        """Lloyd on all points from those centres."""
        return map_in_threads(self._polish, starts, "k-means to its end", bytes_each=_COPIES * self._points.nbytes)

    def _start(self, task: tuple[int, int]) -> Division:
        k, seed = task
        return _division(KMeans(n_clusters=k, n_init=1, random_state=seed % 2**32).fit(self._sample))

    def _divide_everybody(self, start: Division) -> Division:
        labels, inertia = np.empty(len(self._points), dtype=np.int32), 0.0
        for rows in row_slices(*self._points.shape):
            labels[rows] = nearest_centres(self._points[rows], start.centres)
            apart = self._points[rows] - start.centres[labels[rows]]
            inertia += float(np.einsum("np,np->", apart, apart, dtype=np.float64))
        return Division(labels, start.centres, inertia)

    def _polish(self, start: Division) -> Division:
        return _division(KMeans(n_clusters=len(start.centres), init=start.centres, n_init=1).fit(self._points))


def _division(fit: KMeans) -> Division:
    return Division(fit.labels_, fit.cluster_centers_, float(fit.inertia_))


# MERGED from kmeans: k-means with k chosen by the silhouette, and that silhouette's honest value.

_QUICK_RESTARTS, _QUICK_SILHOUETTES = 2, 2000


class KMeansOptions(Options):
    """Numbers of clusters to try, and how hard."""

    smallest: int = Field(2, ge=2, le=100, description="Fewest clusters tried")
    largest: int = Field(10, ge=2, le=100, description="Most clusters tried")
    restarts: int = Field(10, ge=1, le=1000, description="Starts a number of clusters; the tightest result counts")
    start_persons: int = Field(
        10_000, ge=10, description="Starts compete on this many points, at most; the winner then goes on with all of them"
    )
    silhouette_persons: int = Field(
        10_000, ge=10, description="Silhouettes of this many points, at most, each against all points; fewer points: exact"
    )
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="auto (a CUDA GPU where there is one, else the CPU by scikit-learn), cpu, cuda or cuda:1; from the same seed "
        "a GPU draws other starts than the CPU",
    )

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

    def __call__(self, points: NDArray[np.floating], seed: int = 0) -> Clustering:
        """Divide (N, P) points.

        Raises:
            ExplainError: if there are not more points than the fewest clusters, or a number is NaN or infinite.
            OptionsError: if the device is not there.
        """
        check_finite(points, "kmeans")
        device = resolve_gpu(self.options.device)
        largest = min(self.options.largest, len(points) - 1)
        if largest < self.options.smallest:
            raise ExplainabilityError(f"kmeans: expected more than {self.options.smallest} points, found {len(points)}.")
        counts = range(self.options.smallest, largest + 1)
        fits = fit_kmeans(points, counts, self.options.restarts, self.options.start_persons, seed, device)
        silhouettes = self._silhouettes(points, fits, seed, device)
        best = max(silhouettes, key=lambda k: silhouettes[k])
        labels, centres = sort_by_size(fits[best].labels, fits[best].centres)
        if len(centres) < 2:
            raise ExplainabilityError(f"kmeans: all {len(points)} points coincide; there is nothing to divide.")
        # Where points coincide, fewer clusters than asked for have points.
        silhouettes |= {len(centres): silhouettes[best]}
        return Clustering(
            labels=labels,
            centres=centres,
            silhouettes=silhouettes,
            inertias={k: fit.inertia for k, fit in fits.items()},
            restart_agreements={k: fit.agreement for k, fit in fits.items() if fit.agreement is not None},
        )

    def quicker(self, clusters: int | None = None) -> "KMeansClusterer":
        """The same with fewer restarts, and only that many clusters if told so."""
        own = self.options
        changes = {
            "restarts": min(_QUICK_RESTARTS, own.restarts),
            "silhouette_persons": min(_QUICK_SILHOUETTES, own.silhouette_persons),
        }
        if clusters is not None:
            changes |= {"smallest": clusters, "largest": clusters}
        return KMeansClusterer(own.model_copy(update=changes))

    def _silhouettes(
        self, points: NDArray[np.floating], fits: dict[int, KMeansFit], seed: int, device: torch.device | None
    ) -> dict[int, float]:
        rows = sample_rows(len(points), self.options.silhouette_persons, seed)
        # Undefined where points coincide: no evidence for clusters.
        divided = {k: fit.labels for k, fit in fits.items() if len(np.unique(fit.labels)) > 1}
        measured = measure_silhouettes(points, list(divided.values()), rows, device) if divided else []
        return {**dict.fromkeys(fits, 0.0), **{k: own.mean for k, own in zip(divided, measured, strict=True)}}
