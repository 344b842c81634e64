"""The steps of a k-means fit on the CPU: scikit-learn's, each calculation on one thread, side by side on the cores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from posescope.explain.clustering import nearest_centres
from posescope.explain.kmeans_division import Division
from posescope.explain.rows import centre_rows, row_slices
from posescope.explain.threads import map_in_threads

__all__ = ["KMeansInThreads"]

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
