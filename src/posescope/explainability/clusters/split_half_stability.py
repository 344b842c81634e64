r"""Split-half stability: two halves of the images are clustered separately, and the centres of each label both halves.

    half A -> centres -> labels of both halves   \
                                                 adjusted Rand index (Hubert and Arabie, 1985): 1 the same, 0 as by chance
    half B -> centres -> labels of both halves   /

The halves are clustered with as many starts as all points: a poor local optimum of one half would appear as instability. The
index increases with the number of persons, with or without clusters, so only values for equally many persons are compared.
Images are split, not persons: persons of one image are alike and would carry a clustering from one half to the other.
Clusters that are not defined by their centres appear less stable than they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, pairwise_distances, pairwise_distances_argmin

from posescope.explainability.clustering.base import Clusterer, cluster_range

__all__ = ["STABLE_AGREEMENT", "STABLE_GROUP", "SplitHalf", "cluster_halves", "sample_images", "split_images"]

STABLE_AGREEMENT = 0.8  # Steinley (2004), Properties of the Hubert-Arabie adjusted Rand index: good recovery from here
STABLE_GROUP = 0.75  # Jaccard index; Hennig (2007), Cluster-wise assessment of cluster stability: a valid, stable cluster

Centres = NDArray[np.floating]


@dataclass(frozen=True)
class SplitHalf:
    """Clusterings of two halves of n points.

    Attributes:
        is_first: (n,) whether the point is in the first half.
        centres: centres (k, P) of the first and of the second half by number of clusters k; a number is missing where a half does
            not fill so many clusters.
    """

    is_first: NDArray[np.bool_]
    centres: Mapping[int, tuple[Centres, Centres]]

    def agreements(self, points: NDArray[np.floating]) -> dict[int, float]:
        """Return the adjusted Rand index over all n points (n, P) by number of clusters."""
        labels = {k: [pairwise_distances_argmin(points, own) for own in both] for k, both in self.centres.items()}
        return {k: float(adjusted_rand_score(*both)) for k, both in labels.items()}

    def matched(self, centres: Centres) -> tuple[Centres, Centres] | None:
        """Return the centres of both halves in the order of (k, P) centres of all points; none if there are none for k.

        The order minimises the summed distances (Hungarian method).
        """
        both = self.centres.get(len(centres))
        if both is None:
            return None
        first, second = (own[linear_sum_assignment(pairwise_distances(centres, own))[1]] for own in both)
        return first, second


def cluster_halves(
    points: NDArray[np.floating],
    groups: NDArray[np.int64],
    clusterer: Clusterer,
    counts: Iterable[int],
    seed: int,
) -> SplitHalf:
    """Cluster two random halves of the images.

    Args:
        points: (n, P).
        groups: (n,) the image of each.
        clusterer: clusterer of each half.
        counts: numbers of clusters; those with fewer than two points per cluster in a half are left out.
        seed: random seed of the split and of the clusterer.
    """
    is_first = split_images(groups, seed)
    halves = (points[is_first], points[~is_first])
    least = min(len(half) for half in halves)
    possible = [k for k in counts if 2 * k <= least]
    if not possible or not all(np.ptp(half, axis=0).any() for half in halves):
        return SplitHalf(is_first, {})
    first, second = (cluster_range(clusterer, half, seed, possible) for half in halves)
    dtype = points.dtype
    return SplitHalf(
        is_first,
        {k: (first[k].centres.astype(dtype), second[k].centres.astype(dtype)) for k in possible if k in first and k in second},
    )


def sample_images(groups: NDArray[np.int64], persons: int | None, seed: int) -> NDArray[np.int64]:
    """Sample whole images until they have enough persons.

    Args:
        groups: (N,) the image of each person.
        persons: number of persons; none: all.
        seed: random seed of the sample.

    Returns:
        Rows of the persons of these images, ascending.
    """
    if persons is None or persons >= len(groups):
        return np.arange(len(groups))
    _, own, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng((seed, 1)).permutation(len(sizes))
    sampled = order[: int(np.searchsorted(np.cumsum(sizes[order]), persons)) + 1]
    return np.flatnonzero(np.isin(own, sampled))


def split_images(groups: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Split the images into random halves.

    Args:
        groups: (N,) the image of each person.
        seed: random seed of the split.

    Returns:
        (N,) whether the person is in the first half.
    """
    images, own = np.unique(groups, return_inverse=True)
    chosen = np.zeros(len(images), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(images))[: len(images) // 2]] = True
    return np.asarray(chosen[own])
