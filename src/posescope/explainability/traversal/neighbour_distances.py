"""How far a walked point is from the data: whether people are still found where a step leads.

    spacing     distance from a person to the nearest one of another photograph, for a sample of persons
    quantile    share of them whose neighbour is nearer than the nearest person is to the step; near 1, it has left the data
    beyond      share of all persons who stand farther out along the component than the step

The two differ. A step has no part outside its component, so where many components share the variance it is more average than
anybody, and a short one has a nearer neighbour than people have among themselves: a quantile of 0.5 is already far. `beyond`
looks along the component alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.components.pca import Components
from posescope.explainability.features.activations import batches_of_rows
from posescope.explainability.features.feature_store import FeatureSet

__all__ = ["NeighbourDistances", "measure_neighbour_distances", "fractions_beyond"]

_BLOCK_NUMBERS = 4_000_000  # float64 numbers a block: 32 MB


@dataclass(frozen=True)
class NeighbourDistances:
    """How far M persons lie from the nearest one of another photograph: (M,) distances, (M,) photographs."""

    distances: NDArray[np.float64]
    groups: NDArray[np.int64]

    def nearer(self, distances: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) distances -> (n, M): whether each person's own neighbour is nearer."""
        found: NDArray[np.bool_] = self.distances < distances[:, None]
        return found

    def quantiles(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) distances -> (n,) shares of the persons whose own neighbour is nearer; NaN where nobody has one."""
        return self.nearer(distances).mean(axis=1) if len(self.distances) else np.full(len(distances), np.nan)


def measure_neighbour_distances(features: FeatureSet, groups: NDArray[np.int64], rows: NDArray[np.int64]) -> NeighbourDistances:
    """Distances from the persons at `rows` to the nearest of all persons of other photographs; reads blocks of persons.

    Args:
        features: of N persons.
        groups: (N,) photograph of each.
        rows: (M,) of whom.

    Returns:
        The distances; those without a person of another photograph are left out.
    """
    best = np.full(len(rows), np.inf)
    points = features.values[rows].astype(np.float64)
    centre = points.mean(axis=0)  # far from the origin, |f|^2 - 2 f.p + |p|^2 would lose digits
    points -= centre
    lengths = (points**2).sum(axis=1)
    for batch in batches_of_rows(np.arange(len(features)), max(1, _BLOCK_NUMBERS // max(1, points.shape[1]))):
        block = features.values[batch[0] : batch[-1] + 1].astype(np.float64) - centre
        squared = (block**2).sum(axis=1)[:, None] - 2 * block @ points.T + lengths
        squared[groups[batch][:, None] == groups[rows][None, :]] = np.inf
        best = np.minimum(best, squared.min(axis=0))
    known = np.isfinite(best)
    return NeighbourDistances(np.sqrt(np.maximum(best[known], 0.0)), groups[rows][known])


def fractions_beyond(components: Components, features: FeatureSet, count: int, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of persons who stand farther out, on the same side, than each step of the first components.

    Returns:
        (count, len(steps)) in 0..1; NaN for a step of 0.
    """
    scores = components.project(features.values, count) / np.sqrt(components.variances[:count])  # standard deviations
    shares = [np.sign(step) * scores > abs(step) for step in steps]
    beyond = np.stack([share.mean(axis=0) for share in shares], axis=1)
    return np.where(steps == 0, np.nan, beyond)
