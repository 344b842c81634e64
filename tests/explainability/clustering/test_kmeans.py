"""Tests of posescope.explainability.clustering.kmeans: inertia compared with scikit-learn, and number of clusters."""

import os
import tracemalloc

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from posescope.explainability.clustering import base, thread_pool
from posescope.explainability.clustering.gaussian_mixture import GaussianMixture, GaussianMixtureOptions
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions, fit_kmeans
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features import row_blocks

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = np.random.default_rng(3).integers(0, 5, 2500)


def planted() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(5, 12)) * 2)[KINDS] + rng.normal(size=(2500, 12))


def unplanted() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2500, 12)) * np.linspace(3, 0.5, 12)


def blobs(sizes, spread=0.1):
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [5, 0], [0, 5], [5, 5]])[: len(sizes)]
    return np.concatenate([corner + spread * rng.normal(size=(n, 2)) for corner, n in zip(corners, sizes, strict=True)])


def test_planted_clusters_are_found_largest_first() -> None:
    points = blobs([10, 30, 20])
    found = KMeansClusterer(KMeansOptions(largest=6))(points)
    assert len(found) == 3
    assert np.bincount(found.labels).tolist() == [30, 20, 10]
    np.testing.assert_allclose(found.centres, [[5, 0], [0, 5], [0, 0]], atol=0.1)
    assert sorted(found.silhouettes) == [2, 3, 4, 5, 6]
    assert found.silhouette == pytest.approx(silhouette_score(points, found.labels))


def test_sampled_silhouettes_are_seeded() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    clusterer = KMeansClusterer(KMeansOptions(largest=4, silhouette_persons=50))
    first, second = clusterer(points, seed=1), clusterer(points, seed=1)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.silhouettes == second.silhouettes


def test_coincident_points_are_refused() -> None:
    with pytest.warns(UserWarning, match="distinct"), pytest.raises(ExplainabilityError, match="coincide"):
        KMeansClusterer(KMeansOptions(largest=2))(np.ones((5, 2)))


def test_no_more_clusters_than_distinct_points() -> None:
    with pytest.warns(UserWarning, match="distinct"):
        found = KMeansClusterer(KMeansOptions(smallest=4, largest=5))(np.repeat([[0.0], [1], [5]], 4, axis=0))
    assert found.sizes.tolist() == [4, 4, 4]
    assert found.silhouette == 1.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_non_finite_values_are_refused_with_their_row(wrong, dtype) -> None:
    points = blobs([10, 10]).astype(dtype)
    points[7, 1] = wrong
    for clusterer in (
        KMeansClusterer(KMeansOptions(largest=3)),
        GaussianMixture(GaussianMixtureOptions(largest=3)),
    ):
        with pytest.raises(ExplainabilityError, match="7"):
            clusterer(points)


def test_huge_values_are_accepted() -> None:
    found = KMeansClusterer(KMeansOptions(largest=3))((blobs([10, 20]) * 1e30).astype(np.float32))
    assert found.sizes.tolist() == [20, 10]


def test_inertia_and_restart_agreement_per_number_of_clusters() -> None:
    points = blobs([10, 30, 20])
    found = KMeansClusterer(KMeansOptions(largest=4))(points)
    assert found.inertias[3] == pytest.approx(((points - found.centres[found.labels]) ** 2).sum())
    assert found.inertias[2] > found.inertias[3] > found.inertias[4]
    assert found.restart_agreements[3] > 0.8


def test_every_number_of_clusters_largest_cluster_first() -> None:
    found = KMeansClusterer(KMeansOptions(largest=6)).cluster_range(blobs([10, 30, 20]), 0, [2, 3])
    assert {k: own.sizes.tolist() for k, own in found.items()} == {2: [30, 30], 3: [30, 20, 10]}
    assert found[3].inertias[3] < found[2].inertias[2]


@pytest.mark.parametrize("count", range(3, 13))
def test_few_points_have_fewer_clusters_than_points(count: int) -> None:
    points = np.random.default_rng(count).normal(size=(count, 2))
    found = KMeansClusterer(KMeansOptions(restarts=2))(points)
    assert sorted(found.silhouettes) == list(range(2, min(10, count - 1) + 1))
    assert 2 <= len(found) < count
    assert np.bincount(found.labels, minlength=len(found)).min() >= 1


def test_too_few_points_and_contradictory_options_are_refused() -> None:
    with pytest.raises(ExplainabilityError, match="points"):
        KMeansClusterer(KMeansOptions())(np.ones((2, 2)))
    with pytest.raises(ValidationError, match="largest"):
        KMeansOptions(smallest=5, largest=3)


@pytest.mark.parametrize("start_persons", [500, 10_000], ids=["sample", "all points"])
@pytest.mark.parametrize("points", [planted(), unplanted()], ids=["planted", "unplanted"])
def test_inertia_is_within_one_percent_of_scikit_learn(points, start_persons: int) -> None:
    found = fit_kmeans(points, [2, 5, 8], restarts=10, start_persons=start_persons, seed=0)
    for k, fit in found.items():
        with threadpool_limits(1):
            expected = KMeans(n_clusters=k, n_init=10, random_state=1).fit(points).inertia_
        assert fit.inertia <= 1.01 * expected
        own = ((points - fit.centres[fit.labels]) ** 2).sum()
        assert fit.inertia == pytest.approx(own, rel=1e-4)


def test_fit_finds_planted_clusters_from_every_start() -> None:
    found = fit_kmeans(planted(), [5], restarts=4, start_persons=500, seed=0)[5]
    assert adjusted_rand_score(KINDS, found.labels) > 0.99
    assert found.agreement is not None
    assert found.agreement > 0.6  # a start may merge two of them


def test_fit_is_seeded() -> None:
    first, second = (fit_kmeans(unplanted(), [3], 3, 500, seed=4)[3] for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.centres, second.centres)
    assert first.inertia == second.inertia


def test_float32_finds_the_same_clusters_far_from_the_origin(monkeypatch) -> None:
    points = planted() + 100  # without centring distances would lose digits
    expected = fit_kmeans(points, [5], 10, 500, seed=0)[5]
    monkeypatch.setattr(base, "_FLOAT64_VALUES", 0)
    found = fit_kmeans(points, [5], 10, 500, seed=0)[5]
    assert adjusted_rand_score(expected.labels, found.labels) == 1
    assert found.inertia == pytest.approx(expected.inertia, rel=1e-5)


def test_memory_beside_the_points_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 50_000)  # 0.4 MB
    monkeypatch.setattr(base, "_FLOAT64_VALUES", 0)
    monkeypatch.setattr(thread_pool, "_MAX_BYTES", 10_000_000)
    points = np.random.default_rng(0).normal(size=(20_000, 60)).astype(np.float32)  # 4.8 MB
    tracemalloc.start()
    fit_kmeans(points, [2, 3, 4], restarts=1, start_persons=500, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One copy, two more of the one fit that runs, and blocks. Three fits at once would hold 7 copies.
    assert peak < 4 * points.nbytes


def test_one_start_has_no_agreement() -> None:
    assert fit_kmeans(unplanted(), [2], 1, 500, seed=0)[2].agreement is None
