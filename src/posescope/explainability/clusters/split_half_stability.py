r"""Is a division found again? Two halves of the photographs are clustered apart, and each half's centres divide both halves.

    half A -> centres -> labels of both halves   \
                                                 adjusted Rand index (Hubert and Arabie, 1985): 1 the same, 0 as by chance
    half B -> centres -> labels of both halves   /

Agreement rises with the number of persons, whether there are clusters or not: what is compared must be of as many (`persons`).
Halves are halves of photographs: people of one photograph are alike, and would carry a division from one half to the other.
A division that is not about its centres looks less stable here than it is.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from posescope.explainability.clustering.base import Clusterer, nearest_centres

__all__ = ["STABLE_AGREEMENT", "split_half_agreements", "sample_images", "split_images"]

STABLE_AGREEMENT = 0.8  # Steinley (2004), Properties of the Hubert-Arabie adjusted Rand index: from here on, good recovery


def split_half_agreements(
    points: NDArray[np.floating],
    groups: NDArray[np.int64],
    clusterer: Clusterer,
    clusters: int,
    splits: int,
    seed: int,
    persons: int | None = None,
) -> NDArray[np.float64]:
    """How alike the divisions of two halves are, for several random splits.

    Args:
        points: (N, P).
        groups: (N,) the photograph of each.
        clusterer: of each half.
        clusters: into which it divides, as far as it can be told.
        splits: S.
        seed: of the splits.
        persons: that are halved, about: another draw of whole photographs for each split; none: everybody.

    Returns:
        (S,) adjusted Rand index over those who are halved; none where a half has fewer than two points a cluster,
            or all of them coincide.
    """
    agreements = []
    for split in range(splits):
        rows = sample_images(groups, persons, seed + split)
        drawn, first = points[rows], split_images(groups[rows], seed + split)
        halves = (drawn[first], drawn[~first])
        if any(len(half) < 2 * clusters or not np.ptp(half, axis=0).any() for half in halves):
            continue
        labels = [nearest_centres(drawn, clusterer(half, seed=seed + split).centres) for half in halves]
        agreements.append(adjusted_rand_score(*labels))
    return np.array(agreements, dtype=np.float64)


def sample_images(groups: NDArray[np.int64], persons: int | None, seed: int) -> NDArray[np.int64]:
    """Rows, ascending, of everybody in photographs drawn at random until they hold so many persons; of all where none is told."""
    if persons is None or persons >= len(groups):
        return np.arange(len(groups))
    _, own, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng((seed, 1)).permutation(len(sizes))
    drawn = order[: int(np.searchsorted(np.cumsum(sizes[order]), persons)) + 1]
    return np.flatnonzero(np.isin(own, drawn))


def split_images(groups: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """(N,) whether somebody stands in the first half: half of the photographs, drawn at random."""
    photographs, own = np.unique(groups, return_inverse=True)
    chosen = np.zeros(len(photographs), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(photographs))[: len(photographs) // 2]] = True
    return np.asarray(chosen[own])
