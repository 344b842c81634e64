"""Groups of judged persons: the nearest centre of each, silhouettes, distances, and the typical person of each group."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.features.row_blocks import row_slices, sample_rows

__all__ = ["ClusterMembers", "assign_persons", "measure_members"]


@dataclass(frozen=True)
class ClusterMembers:
    """Positions of N persons in k groups.

    Attributes:
        labels: (N,) group of each person, 0..k-1; a group may be empty.
        rows: (n,) rows of the persons with a silhouette.
        silhouettes: (N,) -1..1, NaN for the other persons, and for all if they are in one group.
        distance_to_centre: (N,) distance from the centre of the own group.
        medoids: (k,) rows: of the persons at `rows` the one with the smallest mean distance to the others of its group; if none
            of a group is among them, the person nearest to its centre; -1 for an empty group.
    """

    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    silhouettes: NDArray[np.float64]
    distance_to_centre: NDArray[np.float64]
    medoids: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(k,) persons per group."""
        return np.bincount(self.labels, minlength=len(self.medoids)).astype(np.int64)

    def interval(self, groups: NDArray[np.int64], draws: ImageResamples) -> Interval:
        """Return the mean silhouette with its 95 % interval over images.

        Args:
            groups: (N,) the image of each person.
            draws: bootstrap samples of these images.
        """
        return draws.mean_interval(self.silhouettes, groups)


def assign_persons(points: NDArray[np.floating], centres: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the (N,) nearest of (k, P) centres for (N, P) points."""
    return np.asarray(pairwise_distances_argmin(points, centres.astype(points.dtype)), dtype=np.int64)


def measure_members(
    points: NDArray[np.floating], labels: NDArray[np.int64], centres: NDArray[np.floating], most: int, seed: int
) -> ClusterMembers:
    """Measure silhouettes and distances to the centres, and find the medoids.

    Args:
        points: (N, P).
        labels: (N,) group of each, 0..k-1.
        centres: (k, P).
        most: maximum number of points with a silhouette, each against all points.
        seed: random seed of the sample.
    """
    rows = sample_rows(len(points), most, seed)
    silhouettes, own = np.full(len(points), np.nan), np.full(len(points), np.inf)
    if len(np.unique(labels)) > 1:
        (found,) = measure_silhouettes(points, [labels], rows)
        silhouettes[rows], own[rows] = found.values, found.own
    distance_to_centre = _distances_to_centre(points, labels, centres)
    medoids = [_medoid(np.flatnonzero(labels == group), own, distance_to_centre) for group in range(len(centres))]
    return ClusterMembers(labels, rows, silhouettes, distance_to_centre, np.array(medoids, dtype=np.int64))


def _medoid(inside: NDArray[np.int64], own: NDArray[np.float64], distance_to_centre: NDArray[np.float64]) -> int:
    if not len(inside):
        return -1
    distances = own if np.isfinite(own[inside]).any() else distance_to_centre
    return int(inside[distances[inside].argmin()])


def _distances_to_centre(
    points: NDArray[np.floating], labels: NDArray[np.int64], centres: NDArray[np.floating]
) -> NDArray[np.float64]:
    blocks = row_slices(*points.shape)
    return np.concatenate([np.linalg.norm(points[rows] - centres[labels[rows]], axis=1) for rows in blocks])
