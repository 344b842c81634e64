"""Fitting k-means for several k, several starts each, on many points.

    starts     k-means++ and Lloyd on a sample of the points, for each k several of them
    winner     the start whose centres leave the smallest inertia over **all** points
    polish     Lloyd on all points from the winner's centres

The starts only decide which valley is descended; a sample of ten thousand decides that as well as everybody, and Lloyd on all
points then ends where it would have ended from them. With fewer points than the sample holds this is plain k-means.
On the CPU the work is scikit-learn's (`kmeans_in_threads`), on a GPU torch's (`kmeans_on_device`), from other starts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from posescope.explain.kmeans_division import Division
from posescope.explain.kmeans_in_threads import KMeansInThreads
from posescope.explain.kmeans_on_device import KMeansOnDevice
from posescope.explain.rows import sample_rows

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
