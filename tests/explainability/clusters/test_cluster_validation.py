"""Tests of posescope.explainability.clusters.cluster_validation: planted clusters and noise."""

import numpy as np
import pytest

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.cluster_members import measure_members
from posescope.explainability.clusters.cluster_validation import ClusterValidation, ClusterValidationOptions, validate_clusters
from posescope.explainability.clusters.split_half_stability import STABLE_AGREEMENT, split_half_agreements

CLUSTERER = KMeansClusterer(KMeansOptions(largest=5, restarts=5))
GROUPS = np.arange(300) // 2


def validation_of(points: np.ndarray, **options: int) -> ClusterValidation:
    clustering, groups = CLUSTERER(points), np.arange(len(points)) // 2
    silhouette = measure_members(points, clustering, 2000, 0).interval(groups, resample_images(groups, 0, 200))
    own = ClusterValidationOptions(**{"null_draws": 3, "stability_splits": 4, **options})
    return validate_clusters(points, groups, CLUSTERER, clustering, silhouette, own, 0)


def noise(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (300, 8)) if kind == "uniform" else rng.normal(size=(300, 8))
    return points * (np.array([6, 3, *[1] * 6]) if kind == "long" else 1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["gaussian", "uniform", "long"])
def test_noise_has_no_real_clusters(kind: str, seed: int) -> None:
    found = validation_of(noise(kind, seed))
    assert not found.is_real
    assert "no evidence" in found.describe()
    assert not found.findings("map")[0].is_supported


def test_skewed_data_in_one_piece_have_no_real_clusters() -> None:
    points = np.random.default_rng(0).exponential(size=(2000, 8)) * np.linspace(3, 1, 8)
    found = validation_of(points)
    assert found.is_stable
    assert found.silhouette.low > max(draw.silhouette for draw in found.null if draw.kind != "skewed")
    assert not found.is_real


@pytest.mark.parametrize("fraction", [0.5, 0.15])
def test_two_groups_along_one_component_are_real(fraction: float) -> None:
    # Independently permuted coordinates would keep the two groups, so they would be no control.
    points = np.random.default_rng(0).normal(size=(400, 8))
    points[: int(400 * fraction), 0] += 6
    found = validation_of(points)
    assert len(found.clustering) == 2
    assert found.is_real


@pytest.mark.parametrize(("apart", "description"), [(8.0, "3 clusters: a silhouette"), (2.4, "3 clusters with low separation")])
def test_planted_clusters_are_real_though_they_may_touch(apart: float, description: str) -> None:
    rng = np.random.default_rng(0)
    points = (apart * np.eye(8)[:3])[rng.integers(0, 3, 300)] + rng.normal(size=(300, 8))
    found = validation_of(points)
    assert found.is_real
    assert description in found.describe()
    real, stable = found.findings("map")
    assert real.is_supported
    assert stable.is_supported
    assert real.control.what.startswith("9 samples of null data")


def test_few_outliers_are_above_null_data_but_unstable() -> None:
    points = noise("gaussian", 0)
    points[:5] += np.random.default_rng(0).normal(size=(5, 8)) * 60
    found = validation_of(points)
    assert found.beats_null
    assert not found.is_stable
    assert found.verdict == "unstable clusters"
    assert "stable" in found.describe()


def test_stable_cut_of_one_long_axis_is_no_evidence() -> None:
    found = validation_of(noise("long", 0) * np.array([3, *[1] * 7]))
    assert len(found.clustering) == 2
    assert found.is_stable
    stable = found.findings("map")[1]
    assert not stable.is_supported
    assert "not evidence" in stable.statement


def test_split_halves_are_as_large_as_the_null_data() -> None:
    # Agreement increases with the number of persons: halves of 10,000 agree on the cut of noise, halves of 1,000 do not.
    points = np.random.default_rng(0).normal(size=(20_000, 20)) * np.array([2, 1.8, 1.6, *[1] * 17])
    clusterer, groups = KMeansClusterer(KMeansOptions(largest=2, restarts=2)), np.arange(20_000) // 2
    clustering = clusterer(points)
    own = ClusterValidationOptions(null_draws=2, stability_splits=4, null_persons=1000)
    found = validate_clusters(points, groups, clusterer, clustering, Interval(0.1, 0.1, 0.1), own, 0)
    assert split_half_agreements(points, groups, clusterer, 2, 2, 0).mean() > max(STABLE_AGREEMENT, found.null_agreements.max())
    assert not found.findings("map")[1].is_supported


def test_one_image_has_no_split_half_agreement() -> None:
    points = noise("gaussian", 0)
    clustering, groups = CLUSTERER(points), np.zeros(300, dtype=np.int64)
    silhouette = measure_members(points, clustering, 50, 0).interval(groups, resample_images(groups, 0, 100))
    found = validate_clusters(points, groups, CLUSTERER, clustering, silhouette, ClusterValidationOptions(null_draws=2), 0)
    assert found.agreement is None
    assert not found.is_real
    assert len(found.findings("map")) == 1
