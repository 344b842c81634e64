"""Planted clusters, and data without clusters, for the analysis `clusters`.

A data set is called clusters if the analysis supports a number of clusters or finds a separate group. Planted clusters are found
if it does and, among the groups that it shows, one has a recall and a precision of at least 0.8 for each planted cluster; of the
rare kind only the rare one counts, since the rest may be shown in pieces that are marked as parts of a continuum. The data sets
are those of `cluster_data`. The rare kind is planted at two separations: as far away as the larger clusters, and farther. Seeds
100 to 109 served to choose the statistic of a single group, seeds 0 to 9 measure it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.cluster_evidence import (
    ClusterEvidence,
    EvidenceOptions,
    observe_clusters,
    weigh_clusters,
)
from posescope.explainability.clusters.null_reference import cluster_null_data, fit_null_model
from truth.cluster_data import NULL_KINDS, SEPARATION, null_data, planted_data

__all__ = ["examine", "is_found", "run"]

NULL_SETS = 6  # per kind
PLANTED_SETS = 10
UNEQUAL, RARE = (0.80, 0.15, 0.05), (0.98, 0.02)
_GOOD = 0.8  # recall and precision
_FAR = 8.0


def run(most: int | None) -> dict[str, Any]:
    """Measure the bars.

    Args:
        most: maximum number of data sets per bar; none: all.
    """
    nulls = [(kind, seed) for seed in range(NULL_SETS) for kind in NULL_KINDS][:most]
    called = [(kind, seed) for kind, seed in nulls if _is_called(kind, seed)]
    unequal = _count_found(UNEQUAL, (0, 1, 2), most)
    rare = _count_found(RARE, (1,), most)
    far = _count_found(RARE, (1,), most, _FAR)
    if called:
        print(f"null data sets that are called clusters: {called}")
    return {
        "null_data_called_clusters": _bar(len(called), len(nulls), "at most 2 of 78", lambda share: share <= 2 / 78),
        "unequal_clusters_found": _bar(*unequal, "9 of 10", lambda share: share >= 0.9),
        "rare_cluster_found": _bar(*rare, "8 of 10", lambda share: share >= 0.8),
        "rare_and_far_cluster_found": _bar(*far, "8 of 10", lambda share: share >= 0.8),
    }


def examine(points: NDArray[np.float64], groups: NDArray[np.int64], seed: int = 0) -> ClusterEvidence | None:
    """Examine points with the options of the analysis; none if no group is clear, so that null data need not be clustered.

    Args:
        points: (N, P).
        groups: (N,) photograph of each.
        seed: random seed.
    """
    clusterer, options = KMeansClusterer(KMeansOptions()), EvidenceOptions()
    observed = observe_clusters(points, groups, clusterer, options, seed)
    if not observed.has_clear_group:
        return None
    model, counts = fit_null_model(points, seed), list(observed.clusterings)
    return weigh_clusters(observed, cluster_null_data(model, len(points), clusterer, counts, options.null_draws, seed))


def is_found(found: ClusterEvidence, kinds: NDArray[np.int64], wanted: Sequence[int]) -> bool:
    """Whether a shown group matches each wanted planted cluster.

    Args:
        found: evidence.
        kinds: (N,) planted clusters.
        wanted: those that must be found.
    """
    labels = found.counts[found.shown].clustering.labels
    separate = found.counts[found.shown].separate
    return found.has_groups and all(
        any(separate[group] and _matches(labels == group, kinds == kind) for group in range(found.shown)) for kind in wanted
    )


def _matches(group: NDArray[np.bool_], planted: NDArray[np.bool_]) -> bool:
    both = int((group & planted).sum())
    return both >= _GOOD * planted.sum() and both >= _GOOD * group.sum()


def _is_called(kind: str, seed: int) -> bool:
    found = examine(*null_data(kind, seed))
    return found is not None and found.has_groups


def _count_found(
    shares: Sequence[float], wanted: Sequence[int], most: int | None, separation: float = SEPARATION
) -> tuple[int, int]:
    count = PLANTED_SETS if most is None else min(most, PLANTED_SETS)
    hits = 0
    for seed in range(count):
        points, groups, kinds = planted_data(shares, seed, separation)
        found = examine(points, groups)
        hits += found is not None and is_found(found, kinds, wanted)
    return hits, count


def _bar(count: int, total: int, bar: str, is_met: Callable[[float], bool]) -> dict[str, Any]:
    return {"count": count, "of": total, "bar": bar, "met": is_met(count / max(total, 1))}
