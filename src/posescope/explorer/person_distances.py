"""Distances between a moving point of feature space and the persons, fast enough for every position of a slider.

    |f - (b + s A)|^2 = |f - b|^2 - 2 (f A' - b A') s + |s|^2      person f, start b, shifts s along orthonormal axes A

The first term is computed once per start. The others need the persons' scores along the axes only, not their features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.components.pca import Components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices, sample_rows
from posescope.explainability.traversal.neighbour_distances import NeighbourDistances
from posescope.explorer.neighbourhood import measure_own_distances

__all__ = ["DistancesFromStart", "PersonDistances"]

_MOST_NUMBERS = 64_000_000  # float32 features in memory: 256 MB


@dataclass(frozen=True, eq=False)
class DistancesFromStart:
    """Distances of n persons from a start.

    Attributes:
        squared: (n,) squared Euclidean distances.
        scores: (C,) scores of the start along the axes.
    """

    squared: NDArray[np.float64]
    scores: NDArray[np.float64]


class PersonDistances:
    """Distances of persons from points that move along the first components.

    Args:
        features: features of N persons. If they are more than 64 million numbers, a random sample of the persons is compared.
        groups: (N,) image of each person.
        components: components of the features.
        count: number C of components along which points move.
        seed: random seed of the samples.
    """

    def __init__(
        self, features: FeatureSet, groups: NDArray[np.int64], components: Components, count: int, seed: int = 0
    ) -> None:
        width = features.values.shape[1]
        self.rows = sample_rows(len(features), max(1, _MOST_NUMBERS // width), seed)
        """(n,) rows of the compared persons."""
        self._groups, self._mean, self._axes = groups[self.rows], components.mean, components.axes[:count]
        compared = features if len(self.rows) == len(features) else features.subset(self.rows)
        self._centred = np.empty((len(compared), width), dtype=np.float32)
        for block in row_slices(*self._centred.shape):
            self._centred[block] = compared.values[block] - self._mean
        self._lengths = np.einsum("nd,nd->n", self._centred, self._centred, dtype=np.float64)
        self._scores = (self._centred @ self._axes.T.astype(np.float32)).astype(np.float64)
        self.own_distances: NeighbourDistances = measure_own_distances(compared, self._groups, seed)
        """Distances of a sample of the compared persons to the nearest one in another image."""

    def from_start(self, start: NDArray[np.float64]) -> DistancesFromStart:
        """Measure the distances from a start.

        Args:
            start: (D,) features.
        """
        centred = start - self._mean
        products = (self._centred @ centred.astype(np.float32)).astype(np.float64)
        squared = self._lengths - 2 * products + float(centred @ centred)
        return DistancesFromStart(np.maximum(squared, 0.0), self._axes @ centred)

    def nearest(
        self, start: DistancesFromStart, shifts: NDArray[np.float64], count: int, left_out: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the persons nearest to a start that is moved along the components.

        Args:
            start: distances from the start.
            shifts: (C,) along the axes.
            count: number of persons.
            left_out: image whose persons are left out, such as that of the start; None: no person is left out.

        Returns:
            At most `count` rows of the features and their Euclidean distances, nearest first.
        """
        squared = start.squared - 2 * (self._scores - start.scores) @ shifts + float(shifts @ shifts)
        if left_out is not None:
            squared = np.where(self._groups == left_out, np.inf, squared)
        nearest = np.argsort(squared, kind="stable")[:count]
        nearest = nearest[np.isfinite(squared[nearest])]
        return self.rows[nearest], np.sqrt(np.maximum(squared[nearest], 0.0))
