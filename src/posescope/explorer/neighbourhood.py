"""Persons near a point in feature space, and how far persons are from one another.

    quantile    fraction of the persons whose own nearest neighbour, in another image, is nearer than the nearest person is to
                the point; near 1, the point is far from all persons

The distances between persons are measured for a random sample of them, when they are first needed, and kept.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices, sample_rows
from posescope.explainability.traversal.neighbour_distances import NearestPersons, NeighbourDistances, measure_neighbour_distances

__all__ = ["Neighbourhood", "measure_own_distances"]

# Distances from a sample to all persons take 2 M N D operations; the sample shrinks so that they take seconds.
_MOST_NUMBERS = 3e10
_LEAST_MEASURED, _MOST_MEASURED = 200, 1000


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Persons in feature space.

    Attributes:
        features: features of N persons.
        groups: (N,) image of each person.
    """

    features: FeatureSet
    groups: NDArray[np.int64]

    @cached_property
    def own_distances(self) -> NeighbourDistances:
        """Distances of a sample of persons to the nearest person in another image."""
        return measure_own_distances(self.features, self.groups)

    def nearest(self, point: NDArray[np.floating], count: int) -> NearestPersons:
        """Find the nearest persons.

        Args:
            point: (D,) features.
            count: number of persons; fewer if there are fewer.

        Returns:
            Rows and Euclidean distances, ascending; the first person of equals.
        """
        squared = np.empty(len(self.features))
        wanted = point.astype(np.float32)
        for rows in row_slices(*self.features.values.shape):
            offsets = self.features.values[rows].astype(np.float32) - wanted
            squared[rows] = np.einsum("nd,nd->n", offsets, offsets, dtype=np.float32)
        order = np.argsort(squared, kind="stable")[:count].astype(np.int64)
        return NearestPersons(rows=order, distances=np.sqrt(squared[order]))


def measure_own_distances(features: FeatureSet, groups: NDArray[np.int64], seed: int = 0) -> NeighbourDistances:
    """Measure the distances of a random sample of persons to the nearest person in another image.

    Args:
        features: features of N persons.
        groups: (N,) image of each person.
        seed: random seed of the sample.
    """
    most = int(np.clip(_MOST_NUMBERS / max(features.values.size, 1), _LEAST_MEASURED, _MOST_MEASURED))
    return measure_neighbour_distances(features, groups, sample_rows(len(features), most, seed))
