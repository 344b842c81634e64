import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import silhouette_score

from posescope.explain.errors import ExplainError
from posescope.explain.kmeans import KMeansClusterer, KMeansOptions


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


def test_points_that_coincide_are_no_evidence() -> None:
    with pytest.warns(UserWarning, match="distinct clusters"):
        found = KMeansClusterer(KMeansOptions(largest=2))(np.ones((5, 2)))
    assert found.silhouette == 0.0


@pytest.mark.parametrize("count", range(3, 13))
def test_few_points_are_divided_into_fewer_clusters_than_points(count: int) -> None:
    points = np.random.default_rng(count).normal(size=(count, 2))
    found = KMeansClusterer(KMeansOptions(restarts=2))(points)
    assert sorted(found.silhouettes) == list(range(2, min(10, count - 1) + 1))
    assert 2 <= len(found) < count
    assert np.bincount(found.labels, minlength=len(found)).min() >= 1


def test_too_few_points_and_contradictory_options() -> None:
    with pytest.raises(ExplainError, match="more than 2 points, found 2"):
        KMeansClusterer(KMeansOptions())(np.ones((2, 2)))
    with pytest.raises(ValidationError, match="must not be below"):
        KMeansOptions(smallest=5, largest=3)
