"""Position of each person in its cluster: silhouette, distance to the centre, medoids."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.features.row_blocks import row_slices, sample_rows

__all__ = ["ClusterMembers", "measure_members"]


@dataclass(frozen=True)
class ClusterMembers:
    """Positions of N persons in Q clusters.

    Attributes:
        rows: (n,) rows of the persons with a silhouette.
        silhouettes: (N,) -1..1, NaN for the other persons.
        distance_to_centre: (N,) distance from the centre of the own cluster.
        medoids: (Q,) rows: of the persons at `rows` the one with the smallest mean distance to the others of its cluster; if none
            of a cluster is among them, the person nearest to its centre.
    """

    rows: NDArray[np.int64]
    silhouettes: NDArray[np.float64]
    distance_to_centre: NDArray[np.float64]
    medoids: NDArray[np.int64]

    @property
    def is_exact(self) -> bool:
        """Whether all persons have a silhouette."""
        return len(self.rows) == len(self.silhouettes)

    def interval(self, groups: NDArray[np.int64], draws: ImageResamples) -> Interval:
        """Return the mean silhouette with its 95 % interval over images.

        Args:
            groups: (N,) the image of each person.
            draws: bootstrap samples of these images.
        """
        return draws.mean_interval(self.silhouettes, groups)


def measure_members(points: NDArray[np.floating], clustering: Clustering, most: int, seed: int) -> ClusterMembers:
    """Measure silhouettes and distances to the centres, and find the medoids.

    Args:
        points: (N, P), as they were clustered.
        clustering: clustering of these points.
        most: maximum number of points with a silhouette, each against all points.
        seed: random seed of the sample.
    """
    rows = sample_rows(len(points), most, seed)
    (found,) = measure_silhouettes(points, [clustering.labels], rows)
    silhouettes, own = np.full(len(points), np.nan), np.full(len(points), np.inf)
    silhouettes[rows], own[rows] = found.values, found.own
    distance_to_centre = _distances_to_centre(points, clustering)
    medoids = [
        _medoid(np.flatnonzero(clustering.labels == cluster), own, distance_to_centre) for cluster in range(len(clustering))
    ]
    return ClusterMembers(rows, silhouettes, distance_to_centre, np.array(medoids, dtype=np.int64))


def _medoid(inside: NDArray[np.int64], own: NDArray[np.float64], distance_to_centre: NDArray[np.float64]) -> int:
    distances = own if np.isfinite(own[inside]).any() else distance_to_centre
    return int(inside[distances[inside].argmin()])


def _distances_to_centre(points: NDArray[np.floating], clustering: Clustering) -> NDArray[np.float64]:
    blocks = row_slices(*points.shape)
    return np.concatenate([np.linalg.norm(points[rows] - clustering.centres[clustering.labels[rows]], axis=1) for rows in blocks])
