"""Planted clusters and data without clusters; benchmarks/explain_truth.py counts both on many data sets."""

import numpy as np
import pytest

from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.cluster_evidence import (
    ClusterEvidence,
    CountEvidence,
    EvidenceOptions,
    examine_clusters,
    observe_clusters,
)
from posescope.explainability.clusters.density_valleys import GroupSeparation

OPTIONS = EvidenceOptions(null_draws=3, stability_splits=2)
CLUSTERER = KMeansClusterer(KMeansOptions(largest=4, restarts=4))
SPECTRUM = np.arange(1, 13) ** -0.65


def noise(seed: int, count: int = 500) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 12)) * SPECTRUM


def bent(seed: int) -> np.ndarray:
    angle = np.random.default_rng(seed).uniform(0, np.pi, 500)
    points = noise(seed) / 2
    points[:, :2] += 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points


def skewed(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=(500, 12)) * SPECTRUM


def examine(points: np.ndarray, groups: np.ndarray | None = None) -> ClusterEvidence:
    return examine_clusters(points, np.arange(len(points)) if groups is None else groups, CLUSTERER, OPTIONS, 0)


@pytest.mark.parametrize("data", [noise, bent, skewed])
def test_data_without_clusters_are_not_called_clusters(data) -> None:
    found = examine(data(0))
    assert not found.has_groups
    assert found.supported == []
    assert found.shown in found.counts


def test_planted_clusters_are_supported() -> None:
    points, kinds = noise(1, 800), np.repeat([0, 1, 2], [560, 150, 90])
    points[kinds == 1, 0] += 7
    points[kinds == 2, 1] += 7
    found = examine(points)
    assert found.shown == 3
    assert 3 in found.supported
    own = found.counts[3]
    assert own.separate.all()
    assert own.p_value <= 0.01
    assert (own.clustering.labels == kinds).mean() > 0.99
    assert own.silhouette > own.null_silhouette
    assert own.agreement > own.null_agreement
    assert not found.counts[4].is_supported  # a cluster is cut in two


def test_rare_group_is_separate_though_no_number_is_supported() -> None:
    points = noise(2, 1200)
    points[:60, 2] += 4.5  # less than the longest axis: k-means cuts that first
    found = examine(points)
    assert found.has_groups
    own = found.counts[found.shown]
    (rare,) = np.flatnonzero(own.separate)
    assert (own.clustering.labels[:60] == rare).mean() > 0.9


def test_shuffled_coordinates_lose_the_groups() -> None:
    points = noise(1, 800)
    points[560:710, 0] += 7
    points[710:, 0] -= 7
    assert examine(points).has_groups
    rng = np.random.default_rng(0)
    flat = points.copy()
    flat[:, 0] = rng.uniform(points[:, 0].min(), points[:, 0].max(), len(points))
    assert not observe_clusters(flat, np.arange(800), CLUSTERER, OPTIONS, 0).has_clear_group


def evidence_of(k: int, ratio: float = 0.1, **changes: float) -> CountEvidence:
    group = GroupSeparation(nearest=0, valley=ratio * 50, core=100, z=5.0, jaccard=changes.pop("jaccard", 1.0))
    values = {
        "silhouette": 0.3, "null_silhouette": 0.1, "null_silhouette_high": 0.2, "p_silhouette": 0.001,
        "agreement": 0.9, "null_agreement": 0.5,
        "null_agreement_high": 0.7, "p_value": 0.001, **changes,
    }  # fmt: skip
    clustering = Clustering(np.arange(k), np.zeros((k, 1)))
    return CountEvidence(clustering=clustering, groups=(group,) * k, p_groups=(1.0,) * k, **values)


def test_every_condition_is_needed() -> None:
    assert evidence_of(2).is_supported
    assert evidence_of(2, agreement=0.96, null_agreement_high=0.97).is_supported  # no room above null data
    for change in (
        {"ratio": 0.6}, {"jaccard": 0.7}, {"agreement": 0.7, "null_agreement_high": 0.6}, {"null_agreement_high": 0.93},
        {"null_silhouette_high": 0.31}, {"p_value": 0.02}, {"null_silhouette_high": float("nan")}, {"agreement": float("nan")},
    ):  # fmt: skip
        assert not evidence_of(2, **change).is_supported, change


def test_choice_of_the_shown_number() -> None:
    unsupported = {"p_value": 0.5}
    largest = ClusterEvidence({2: evidence_of(2, p_value=1e-6), 3: evidence_of(3), 4: evidence_of(4, **unsupported)}, (), 10)
    assert largest.shown == 3
    assert largest.supported == [2, 3]
    excess = ClusterEvidence({2: evidence_of(2, **unsupported), 3: evidence_of(3, **unsupported, silhouette=0.4)}, (), 10)
    assert excess.shown == 3
    assert not excess.has_groups
    unstable = ClusterEvidence(
        {2: evidence_of(2, **unsupported), 3: evidence_of(3, **unsupported, silhouette=0.4, agreement=0.5)}, (), 10
    )
    assert unstable.shown == 2
