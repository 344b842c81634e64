"""Evidence for groups, for every number of clusters k: silhouettes, stability and valleys, each against null data at the same k.

A number of clusters is supported if

    silhouette   exceeds that of every draw of null reference data,
    stability    halves of the images agree (adjusted Rand index of at least 0.8), and more than those of every draw of null data;
                 at 0.95 there is no room above null data,
    valleys      every group is separate from every other: there is a valley around the weakest group, the valleys around all
                 groups are at most half as dense as the sparser side, and halves find each group again (Jaccard index of 0.75).

The valley of the weakest group is tested at a family-wise level of 1 % over all numbers of clusters. Every condition is needed,
so this is the level of the whole. A rare group may be separate at a k at which the rest is cut into pieces of a continuum. It
then counts by itself, if its contrast to the valleys around it is larger than that of any group of null data, at the same level
over all groups of all numbers (`null_tests`).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import norm

from posescope.core.plugins import Options
from posescope.explainability.clustering.base import Clusterer, Clustering, cluster_range
from posescope.explainability.clusters.density_valleys import GroupSeparation, measure_separation
from posescope.explainability.clusters.null_reference import NullDraw, cluster_null_data, fit_null_model, silhouettes_of
from posescope.explainability.clusters.null_tests import LEAST_DRAWS, adjusted_p_values, p_of_largest
from posescope.explainability.clusters.split_half_stability import (
    STABLE_AGREEMENT,
    STABLE_GROUP,
    cluster_halves,
    sample_images,
)
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import sample_rows

__all__ = [
    "LEVEL",
    "MOST_DENSITY",
    "ClusterEvidence",
    "CountEvidence",
    "EvidenceOptions",
    "ObservedClusters",
    "examine_clusters",
    "observe_clusters",
    "weigh_clusters",
]

LEVEL = 0.01  # family-wise, over all numbers of clusters
MOST_DENSITY = 0.5  # of a valley, relative to the sparser side: along a bent arc it is 0.6 to 1
_FULL_AGREEMENT = 0.95  # null data with one long axis agree as well: there is no room above them


class EvidenceOptions(Options):
    """Effort of the controls."""

    null_draws: int = Field(5, ge=LEAST_DRAWS, le=1000, description="Samples of null reference data per kind")
    null_persons: int = Field(2000, ge=10, description="Points per sample of null data; maximum number of persons per split")
    stability_splits: int = Field(5, ge=1, le=1000, description="Random splits of the images into halves")


@dataclass(frozen=True)
class CountEvidence:
    """Evidence for one number of clusters.

    Attributes:
        clustering: the clusters of all points.
        silhouette, null_silhouette, null_silhouette_high: mean silhouette of the points; mean and largest one of null data.
        p_silhouette: adjusted over the numbers of clusters, for the table; NaN if unknown.
        agreement: mean split-half adjusted Rand index; NaN if undefined.
        null_agreement, null_agreement_high: mean and largest value of null data; NaN if undefined.
        groups: separation of each group; empty if no half has so many clusters.
        p_value: of the null hypothesis that the weakest of the groups has no valley around it (normal approximation of its z),
            multiplied by the number of numbers of clusters (Bonferroni); 1 if unknown.
        p_groups: of the null hypothesis that a group is separated no deeper than any group of null data, for each group by
            itself; adjusted over all groups of all numbers of clusters.
    """

    clustering: Clustering
    silhouette: float
    null_silhouette: float
    null_silhouette_high: float
    p_silhouette: float
    agreement: float
    null_agreement: float
    null_agreement_high: float
    groups: tuple[GroupSeparation, ...]
    p_value: float
    p_groups: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.clustering)

    @property
    def excess(self) -> float:
        """Silhouette minus that of null data with the same number of clusters."""
        return self.silhouette - self.null_silhouette

    @property
    def is_stable(self) -> bool:
        """Whether halves of the images agree, and more than those of null data."""
        return bool(self.agreement >= min(_FULL_AGREEMENT, max(STABLE_AGREEMENT, self.null_agreement_high)))

    @property
    def is_supported(self) -> bool:
        """Whether this number of clusters is supported."""
        is_compact = self.silhouette > self.null_silhouette_high
        return bool(self.p_value <= LEVEL and is_compact and self.is_stable and self.clear.all())

    @property
    def separate(self) -> NDArray[np.bool_]:
        """(k,) whether each group is separate from every other; all of them if this number of clusters is supported."""
        return np.asarray(self.clear & ((np.array(self.p_groups) <= LEVEL) | self.is_supported))

    @property
    def clear(self) -> NDArray[np.bool_]:
        """(k,) whether the valleys around each group are empty enough, and halves find it again."""
        return np.array([_is_clear(group) for group in self.groups] or [False] * len(self), dtype=bool)


@dataclass(frozen=True)
class ClusterEvidence:
    """Evidence for every number of clusters.

    Attributes:
        counts: evidence by number of clusters, ascending.
        null: clusterings of null reference data.
        persons: number of persons in each pair of halves and points in each sample of null data.
    """

    counts: Mapping[int, CountEvidence]
    null: tuple[NullDraw, ...]
    persons: int

    @property
    def supported(self) -> list[int]:
        """Supported numbers of clusters, the best one first: the smallest p-value, then the largest excess silhouette."""
        found = [k for k, own in self.counts.items() if own.is_supported]
        return sorted(found, key=lambda k: (self.counts[k].p_value, -self.counts[k].excess))

    @property
    def has_groups(self) -> bool:
        """Whether a number of clusters is supported or a group is separate."""
        return any(own.is_supported or own.separate.any() for own in self.counts.values())

    @property
    def shown(self) -> int:
        """The number of clusters whose groups are shown.

        The largest supported one. If there is none, the one with the most separate groups, and of these the smallest. If no group
        is separate, the one with the largest excess silhouette, among stable ones if there are any: a convenient division.
        """
        if self.supported:
            return max(self.supported)
        separate = {k: int(own.separate.sum()) for k, own in self.counts.items()}
        if any(separate.values()):
            return max(separate, key=lambda k: (separate[k], -k))
        stable = [k for k, own in self.counts.items() if own.agreement >= STABLE_AGREEMENT]
        return max(stable or self.counts, key=lambda k: np.nan_to_num(self.counts[k].excess, nan=-1.0))


@dataclass(frozen=True)
class ObservedClusters:
    """What is measured of the points, before the comparison with null data; all by number of clusters.

    Attributes:
        clusterings: clusterings of all points.
        silhouettes: mean silhouettes.
        agreements: mean split-half adjusted Rand indices; a number is missing where they are undefined.
        groups: separation of each group; empty if no half has so many clusters.
        persons: number of persons in each pair of halves.
    """

    clusterings: Mapping[int, Clustering]
    silhouettes: Mapping[int, float]
    agreements: Mapping[int, float]
    groups: Mapping[int, tuple[GroupSeparation, ...]]
    persons: int

    @property
    def has_clear_group(self) -> bool:
        """Whether a group may be separate; if not, it is not, whatever the null data are."""
        return any(_is_clear(group) for own in self.groups.values() for group in own)


def observe_clusters(
    points: NDArray[np.floating],
    groups: NDArray[np.int64],
    clusterer: Clusterer,
    options: EvidenceOptions,
    seed: int,
    silhouette_persons: int = 10_000,
) -> ObservedClusters:
    """Cluster points into every number of clusters, measure silhouettes, and compare halves of the images.

    Args:
        points: (N, P).
        groups: (N,) the image of each.
        clusterer: the clusterer.
        options: effort of the controls.
        seed: random seed.
        silhouette_persons: maximum number of points with a silhouette.

    Raises:
        ExplainabilityError: if the clusterer returns too few or too many labels.
    """
    clusterings = cluster_range(clusterer, points, seed)
    found = {len(clustering.labels) for clustering in clusterings.values()}
    if found != {len(points)}:
        raise ExplainabilityError(
            f"clusters: expected a label from the clusterer for each of the {len(points)} points, found {sorted(found)}."
        )
    # Stability increases with the number of persons, so halves have as many points as null data.
    rows = sample_images(groups, options.null_persons, seed)
    sample, images = points[rows], groups[rows]
    halves = [cluster_halves(sample, images, clusterer, clusterings, seed + split) for split in range(options.stability_splits)]
    return ObservedClusters(
        clusterings,
        silhouettes_of(points, clusterings, sample_rows(len(points), silhouette_persons, seed)),
        _mean_by_count([half.agreements(sample) for half in halves]),
        {k: measure_separation(sample, images, one.centres.astype(sample.dtype), halves) for k, one in clusterings.items()},
        len(sample),
    )


def weigh_clusters(observed: ObservedClusters, null: list[NullDraw]) -> ClusterEvidence:
    """Compare what was measured of the points with null data.

    Args:
        observed: result of `observe_clusters`.
        null: result of `cluster_null_data` for the same numbers of clusters and as many points.
    """
    contrasts = _by_kind(null, "contrasts")
    p_silhouettes = adjusted_p_values(observed.silhouettes, _by_kind(null, "silhouettes"))
    counts = {}
    for k, clustering in sorted(observed.clusterings.items()):
        null_silhouettes, null_agreements = _values(null, "silhouettes", k), _values(null, "agreements", k)
        groups = observed.groups[k]
        counts[k] = CountEvidence(
            clustering=clustering,
            silhouette=observed.silhouettes[k],
            null_silhouette=float(np.mean(null_silhouettes)),
            null_silhouette_high=max(null_silhouettes),
            p_silhouette=p_silhouettes.get(k, float("nan")),
            agreement=observed.agreements.get(k, float("nan")),
            null_agreement=float(np.mean(null_agreements)),
            null_agreement_high=max(null_agreements),
            groups=groups,
            p_value=min(1.0, len(observed.clusterings) * float(norm.sf(min((group.z for group in groups), default=-np.inf)))),
            p_groups=tuple(p_of_largest([group.contrast for group in groups], contrasts)) or (1.0,) * k,
        )
    return ClusterEvidence(counts, tuple(null), observed.persons)


def examine_clusters(
    points: NDArray[np.floating],
    groups: NDArray[np.int64],
    clusterer: Clusterer,
    options: EvidenceOptions,
    seed: int,
    silhouette_persons: int = 10_000,
) -> ClusterEvidence:
    """Cluster points into every number of clusters, and compare each with null data and between halves of the images.

    Args:
        points, groups, clusterer, options, seed, silhouette_persons: see `observe_clusters`.
    """
    observed = observe_clusters(points, groups, clusterer, options, seed, silhouette_persons)
    model, counts = fit_null_model(points, seed), list(observed.clusterings)
    return weigh_clusters(
        observed, cluster_null_data(model, observed.persons, clusterer, counts, options.null_draws, seed)
    )  # fmt: skip


def _is_clear(group: GroupSeparation) -> bool:
    """Whether the valleys around a group are empty enough, and halves find the group again."""
    return group.ratio <= MOST_DENSITY and group.jaccard >= STABLE_GROUP


def _mean_by_count(found: list[dict[int, float]]) -> dict[int, float]:
    values: defaultdict[int, list[float]] = defaultdict(list)
    for own in found:
        for k, value in own.items():
            values[k].append(value)
    return {k: float(np.mean(own)) for k, own in values.items()}


def _by_kind(null: list[NullDraw], name: str) -> dict[str, list[Mapping[int, float]]]:
    found: defaultdict[str, list[Mapping[int, float]]] = defaultdict(list)
    for draw in null:
        found[draw.kind].append(getattr(draw, name))
    return found


def _values(null: list[NullDraw], name: str, k: int) -> list[float]:
    """Values of one number of clusters; NaN if null data have none."""
    return [getattr(draw, name)[k] for draw in null if k in getattr(draw, name)] or [float("nan")]
