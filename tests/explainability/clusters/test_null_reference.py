import numpy as np
import pytest

from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.null_reference import cluster_null_data, fit_null_model, principal_spread, sample_null_data
from posescope.explainability.features import row_blocks as rows

SHAPE = fit_null_model(np.random.default_rng(0).normal(size=(200, 3)) * np.array([2.0, 1.0, 1.0]), 0)


@pytest.mark.parametrize("shape", [(300, 4), (5, 40)])
def test_spread_is_that_of_the_principal_axes(shape: tuple[int, int], monkeypatch) -> None:
    points = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 3, shape[1])
    expected = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(shape[0] - 1)
    np.testing.assert_allclose(principal_spread(points), expected[: min(shape)], atol=1e-6)
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 50)
    np.testing.assert_allclose(principal_spread(points), expected[: min(shape)], atol=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "skewed"])
def test_clouds_have_that_spread(kind) -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (2000, 3)) * np.array([3.0, 1.0, 0.5]) * 3**0.5 + 7
    drawn = sample_null_data(kind, fit_null_model(points, 0), 20_000, seed=0)
    np.testing.assert_allclose(np.cov(drawn.T), np.diag([9, 1, 0.25]), atol=0.25)
    assert (np.abs(drawn[:, 0]).max() < 3 * 2) == (kind != "gaussian")


def test_all_clouds_are_clustered_at_the_same_number() -> None:
    clusterer = KMeansClusterer(KMeansOptions(largest=4, restarts=2))
    found = cluster_null_data(SHAPE, 150, clusterer, 3, draws=2, seed=0)
    assert [draw.kind for draw in found] == ["gaussian", "gaussian", "uniform", "uniform", "skewed", "skewed"]
    for draw in found:
        assert sorted(draw.silhouettes) == [2, 3, 4]
        assert draw.silhouette == draw.silhouettes[3]
        assert 0 < draw.silhouette < 0.5


def test_a_clusterer_that_says_little_will_do() -> None:
    def halves(points, seed=0) -> Clustering:
        labels = (points[:, 0] > np.median(points[:, 0])).astype(np.int64)
        return Clustering(labels, np.array([points[labels == label].mean(axis=0) for label in (0, 1)]))

    found = cluster_null_data(SHAPE, 100, halves, 2, draws=2, seed=0)
    assert all(0.2 < draw.silhouette < 0.6 for draw in found)
    assert all(draw.agreement > 0.4 for draw in found)
