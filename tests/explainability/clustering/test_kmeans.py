import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import silhouette_score

from posescope.core.errors import OptionsError
from posescope.explainability.clustering import kmeans
from posescope.explainability.clustering.gaussian_mixture import GaussianMixture, GaussianMixtureOptions
from posescope.explainability.clustering.kmeans import Clustering, KMeansClusterer, KMeansOptions
from posescope.explainability.errors import ExplainabilityError


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


def test_seeded_and_silhouette_sampled() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    clusterer = KMeansClusterer(KMeansOptions(largest=4, silhouette_persons=50))
    first, second = clusterer(points, seed=1), clusterer(points, seed=1)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.silhouettes == second.silhouettes


def test_points_that_coincide_cannot_be_divided() -> None:
    with pytest.warns(UserWarning, match="distinct clusters"), pytest.raises(ExplainabilityError, match="all 5 points coincide"):
        KMeansClusterer(KMeansOptions(largest=2, device="cpu"))(np.ones((5, 2)))


def test_no_more_clusters_than_distinct_points() -> None:
    with pytest.warns(UserWarning, match="distinct clusters"):
        found = KMeansClusterer(KMeansOptions(smallest=4, largest=5, device="cpu"))(np.repeat([[0.0], [1], [5]], 4, axis=0))
    assert found.sizes.tolist() == [4, 4, 4]
    assert found.silhouette == 1.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_that_are_not_finite_are_refused_by_row(wrong, dtype) -> None:
    points = blobs([10, 10]).astype(dtype)
    points[7, 1] = wrong
    for clusterer in (
        KMeansClusterer(KMeansOptions(largest=3, device="cpu")),
        GaussianMixture(GaussianMixtureOptions(largest=3)),
    ):
        with pytest.raises(ExplainabilityError, match="1 of 20 rows have NaN or infinite ones, row 7 first"):
            clusterer(points)


def test_huge_numbers_are_no_fault() -> None:
    found = KMeansClusterer(KMeansOptions(largest=3, device="cpu"))((blobs([10, 20]) * 1e30).astype(np.float32))
    assert found.sizes.tolist() == [20, 10]


def test_tightness_and_restarts_are_told_of_every_number() -> None:
    points = blobs([10, 30, 20])
    found = KMeansClusterer(KMeansOptions(largest=4))(points)
    assert found.inertias[3] == pytest.approx(((points - found.centres[found.labels]) ** 2).sum())
    assert found.inertias[2] > found.inertias[3] > found.inertias[4]
    assert found.restart_agreements[3] > 0.8


@pytest.mark.usefixtures("one_thread")
def test_a_device_divides_planted_clusters_as_the_cpu_does(monkeypatch) -> None:
    points = blobs([40, 90, 60], spread=0.8)
    options = KMeansOptions(largest=5, restarts=3, start_persons=100, silhouette_persons=80, device="cpu")
    expected = KMeansClusterer(options)(points, seed=3)
    monkeypatch.setattr(kmeans, "resolve_gpu", lambda _: torch.device("cpu"))
    found = KMeansClusterer(options)(points, seed=3)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.centres, expected.centres, atol=1e-9)
    assert found.silhouettes[3] == pytest.approx(expected.silhouettes[3], abs=1e-9)
    assert found.inertias[3] == pytest.approx(expected.inertias[3], rel=1e-9)


@pytest.mark.usefixtures("one_thread")
def test_points_that_coincide_on_a_device(monkeypatch) -> None:
    monkeypatch.setattr(kmeans, "resolve_gpu", lambda _: torch.device("cpu"))
    with pytest.raises(ExplainabilityError, match="all 5 points coincide"):
        KMeansClusterer(KMeansOptions(largest=2))(np.ones((5, 2)))
    found = KMeansClusterer(KMeansOptions(smallest=4, largest=5))(np.repeat([[0.0], [1], [5]], 4, axis=0))
    assert found.sizes.tolist() == [4, 4, 4]


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionsError, match="cuda:97"):
        KMeansClusterer(KMeansOptions(device="cuda:97"))(blobs([10, 30]))
    with pytest.raises(ValidationError, match="device"):
        KMeansOptions(device="gpu")


def test_a_quicker_one_makes_the_number_asked_for() -> None:
    quick = KMeansClusterer(KMeansOptions(largest=6)).quicker(2)
    assert quick.options.restarts < 10
    assert KMeansClusterer(KMeansOptions(device="cuda:1")).quicker().options.device == "cuda:1"
    assert len(quick(blobs([10, 30, 20]))) == 2
    assert KMeansClusterer(KMeansOptions(largest=6, restarts=1)).quicker().options.largest == 6


def test_a_clustering_has_points_in_every_cluster() -> None:
    with pytest.raises(ExplainabilityError, match=r"labels 0\.\.2 for 3 centres"):
        Clustering(np.array([0, 1, 1]), np.zeros((3, 2)), {})
    with pytest.raises(ExplainabilityError, match="at least two"):
        Clustering(np.array([0, 0]), np.zeros((1, 2)), {})


@pytest.mark.parametrize("count", range(3, 13))
def test_few_points_are_divided_into_fewer_clusters_than_points(count: int) -> None:
    points = np.random.default_rng(count).normal(size=(count, 2))
    found = KMeansClusterer(KMeansOptions(restarts=2))(points)
    assert sorted(found.silhouettes) == list(range(2, min(10, count - 1) + 1))
    assert 2 <= len(found) < count
    assert np.bincount(found.labels, minlength=len(found)).min() >= 1


def test_too_few_points_and_contradictory_options() -> None:
    with pytest.raises(ExplainabilityError, match="more than 2 points, found 2"):
        KMeansClusterer(KMeansOptions())(np.ones((2, 2)))
    with pytest.raises(ValidationError, match="must not be below"):
        KMeansOptions(smallest=5, largest=3)
