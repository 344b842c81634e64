r"""Split-half stability: two halves of the images are clustered separately, and the centres of each label both halves.

    half A -> centres -> labels of both halves   \
                                                 adjusted Rand index (Hubert and Arabie, 1985): 1 the same, 0 as by chance
    half B -> centres -> labels of both halves   /

The index increases with the number of persons, with or without clusters, so only values for equally many persons are compared.
Images are split, not persons: persons of one image are alike and would carry a clustering from one half to the other.
Clusters that are not defined by their centres appear less stable than they are.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, pairwise_distances_argmin

from posescope.explainability.clustering.base import Clusterer

__all__ = ["STABLE_AGREEMENT", "sample_images", "split_half_agreements", "split_images"]

STABLE_AGREEMENT = 0.8  # Steinley (2004), Properties of the Hubert-Arabie adjusted Rand index: good recovery from here


def split_half_agreements(
    points: NDArray[np.floating],
    groups: NDArray[np.int64],
    clusterer: Clusterer,
    clusters: int,
    splits: int,
    seed: int,
    persons: int | None = None,
) -> NDArray[np.float64]:
    """Return the split-half adjusted Rand index of several random splits.

    Args:
        points: (N, P).
        groups: (N,) the image of each.
        clusterer: clusterer of each half.
        clusters: number of clusters that it is expected to return.
        splits: S.
        seed: random seed of the splits.
        persons: approximate number of persons per split, sampled by whole images for each split; none: all.

    Returns:
        (S,) over the persons that were split; shorter if a half has fewer than two points per cluster, or all of them coincide.
    """
    agreements = []
    for split in range(splits):
        rows = sample_images(groups, persons, seed + split)
        sample, is_first = points[rows], split_images(groups[rows], seed + split)
        halves = (sample[is_first], sample[~is_first])
        if any(len(half) < 2 * clusters or not np.ptp(half, axis=0).any() for half in halves):
            continue
        centres = [clusterer(half, seed=seed + split).centres.astype(sample.dtype) for half in halves]
        agreements.append(adjusted_rand_score(*(pairwise_distances_argmin(sample, own) for own in centres)))
    return np.array(agreements, dtype=np.float64)


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
