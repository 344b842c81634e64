"""Distances in feature space: the person nearest to a point, and how far points lie from the data.

    quantile    fraction of persons whose own nearest neighbour is nearer than the nearest person is to the point; near 1, the
                point has left the data
    beyond      fraction of persons farther out along the component than the point

A traversal step has no deviation outside its component. If many components share the variance, it is closer to the mean than any
person, and even a short step is nearer to a person than persons are to each other: a quantile of 0.5 is already far.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.components.pca import Components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices

__all__ = ["NearestPersons", "NeighbourDistances", "fractions_beyond", "measure_neighbour_distances", "nearest_persons"]


@dataclass(frozen=True)
class NearestPersons:
    """The person nearest to each of M points: (M,) rows of the features and (M,) Euclidean distances."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]


@dataclass(frozen=True)
class NeighbourDistances:
    """Distances of M persons to the nearest person in another image.

    Attributes:
        distances: (M,) Euclidean distances in feature space.
        groups: (M,) image of each person.
    """

    distances: NDArray[np.float64]
    groups: NDArray[np.int64]

    def nearer(self, distances: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return (n, M) whether the nearest neighbour of each of the M persons is nearer than each of (n,) distances."""
        found: NDArray[np.bool_] = self.distances < distances[:, None]
        return found

    def quantiles(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (n,) fractions of persons whose neighbour is nearer than each distance; NaN without persons."""
        return self.nearer(distances).mean(axis=1) if len(self.distances) else np.full(len(distances), np.nan)

    def quantile(self, distance: float) -> float:
        """Return the fraction of persons whose neighbour is nearer than a distance; NaN without persons."""
        return float(self.quantiles(np.array([distance]))[0])


def nearest_persons(features: FeatureSet, points: NDArray[np.float64]) -> NearestPersons:
    """Find the person nearest to each point by Euclidean distance, block by block; the first one of equals.

    Args:
        features: features of N persons.
        points: (M, D).

    Returns:
        Rows and distances.
    """
    best = np.full(len(points), np.inf)
    rows = np.zeros(len(points), dtype=np.int64)
    for here, squared in _squared_distances(features, points):
        nearest = squared.argmin(axis=0)
        found = squared[nearest, np.arange(len(points))]
        better = found < best
        best[better], rows[better] = found[better], here.start + nearest[better]
    return NearestPersons(rows=rows, distances=np.sqrt(np.maximum(best, 0.0)))


def measure_neighbour_distances(features: FeatureSet, groups: NDArray[np.int64], rows: NDArray[np.int64]) -> NeighbourDistances:
    """Measure the distances of some persons to the nearest person in another image, block by block.

    Args:
        features: features of N persons.
        groups: (N,) image of each person.
        rows: (M,) persons that are measured.

    Returns:
        The distances, without persons that have no neighbour in another image.
    """
    best = np.full(len(rows), np.inf)
    for here, squared in _squared_distances(features, features.values[rows].astype(np.float64)):
        squared[groups[here][:, None] == groups[rows][None, :]] = np.inf
        best = np.minimum(best, squared.min(axis=0))
    known = np.isfinite(best)
    return NeighbourDistances(np.sqrt(np.maximum(best[known], 0.0)), groups[rows][known])


def fractions_beyond(components: Components, features: FeatureSet, count: int, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the fraction of persons farther out than each step, on the same side of the mean.

    Args:
        components: the components.
        features: features of all persons.
        count: number of first components.
        steps: (S,) in standard deviations.

    Returns:
        (count, S) in 0..1; NaN for a step of 0.
    """
    scores = components.project(features.values, count) / np.sqrt(components.variances[:count])  # standard deviations
    farther = [np.sign(step) * scores > abs(step) for step in steps]
    beyond = np.stack([persons.mean(axis=0) for persons in farther], axis=1)
    return np.where(steps == 0, np.nan, beyond)


def _squared_distances(features: FeatureSet, points: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield blocks of persons and their (n, M) squared distances from (M, D) points."""
    # |f - p|^2 = |f|^2 - 2 f.p + |p|^2 loses digits far from the origin, so the points' mean is the origin.
    centre = points.mean(axis=0)
    shifted = points - centre
    lengths = (shifted**2).sum(axis=1)
    for here in row_slices(len(features), points.shape[1]):
        block = features.values[here].astype(np.float64) - centre
        yield here, (block**2).sum(axis=1)[:, None] - 2 * block @ shifted.T + lengths
