import numpy as np
import pytest
from scipy.stats import skew

from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.null_reference import (
    cluster_null_data,
    fit_null_model,
    fit_unimodal,
    principal_spread,
)
from posescope.explainability.features import row_blocks

MODEL = fit_null_model(np.random.default_rng(0).normal(size=(200, 3)) * np.array([2.0, 1.0, 1.0]), 0)


@pytest.mark.parametrize("shape", [(300, 4), (5, 40)])
def test_spread_along_the_principal_axes_as_from_svd(shape: tuple[int, int], monkeypatch) -> None:
    points = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 3, shape[1])
    expected = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(shape[0] - 1)
    np.testing.assert_allclose(principal_spread(points), expected[: min(shape)], atol=1e-6)
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 50)
    np.testing.assert_allclose(principal_spread(points), expected[: min(shape)], atol=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "uniform", "skewed"])
def test_null_data_have_the_covariance_of_the_points(kind) -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (2000, 3)) * np.array([3.0, 1.0, 0.5]) * 3**0.5 + 7
    sample = fit_null_model(points, 0).sample(kind, 20_000, seed=0)
    np.testing.assert_allclose(np.cov(sample.T), np.diag([9, 1, 0.25]), atol=0.25)
    assert (np.abs(sample[:, 0]).max() < 3 * 2) == (kind != "gaussian")


def test_null_data_are_clustered_into_every_number() -> None:
    clusterer = KMeansClusterer(KMeansOptions(largest=4, restarts=2))
    found = cluster_null_data(MODEL, 150, clusterer, [2, 3, 4], draws=2, seed=0)
    assert [draw.kind for draw in found] == ["gaussian", "gaussian", "uniform", "uniform", "skewed", "skewed"]
    for draw in found:
        for values in (draw.silhouettes, draw.agreements, draw.contrasts, draw.ratios):
            assert sorted(values) == [2, 3, 4]
        assert 0 < draw.silhouettes[3] < 0.5


def test_clusterer_of_one_number() -> None:
    def split_in_halves(points, seed=0) -> Clustering:
        labels = (points[:, 0] > np.median(points[:, 0])).astype(np.int64)
        return Clustering(labels, np.array([points[labels == label].mean(axis=0) for label in (0, 1)]))

    found = cluster_null_data(MODEL, 100, split_in_halves, [2], draws=2, seed=0)
    assert all(0.2 < draw.silhouettes[2] < 0.6 for draw in found)
    assert all(draw.agreements[2] > 0.4 for draw in found)


def test_second_mode_is_flattened_by_hand() -> None:
    # Densities 4, 1, 3, 2: falling from the first, 1 and 3 become their mean.
    np.testing.assert_allclose(fit_unimodal(np.array([0.4, 0.1, 0.3, 0.2]), np.ones(4)), [0.4, 0.2, 0.2, 0.2])
    # Twice as wide, 1 and 1.5 are pooled by width: (0.1 + 0.3) / 3.
    found = fit_unimodal(np.array([0.4, 0.1, 0.3, 0.2]), np.array([1.0, 1.0, 2.0, 2.0]))
    np.testing.assert_allclose(found, [0.4, 0.4 / 3, 0.8 / 3, 0.2])


def test_unimodal_density_is_unchanged() -> None:
    probabilities = np.array([0.1, 0.2, 0.4, 0.25, 0.05])
    np.testing.assert_allclose(fit_unimodal(probabilities, np.ones(5)), probabilities)


def test_skew_and_spread_are_kept() -> None:
    points = np.random.default_rng(0).exponential(size=(4000, 2)) * [3, 1]
    sample = fit_null_model(points, 0).sample("skewed", 20_000, seed=1)
    np.testing.assert_allclose(sample.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(sample.std(axis=0), [3, 1], rtol=0.05)
    assert np.abs(skew(sample)).min() > 1.2


def test_two_modes_become_one() -> None:
    points = np.random.default_rng(0).normal(size=(4000, 2))
    points[:2000, 0] += 12
    sample = fit_null_model(points, 0).sample("skewed", 20_000, seed=1)
    # No point is in the middle third of the first axis; many of the null data are.
    assert (np.abs(sample[:, 0]) < 2).mean() > 0.1


@pytest.mark.parametrize("points", [np.zeros((6, 3)), np.array([[0.0], [1.0]]), np.eye(4, 9)])
def test_few_and_coincident_points(points: np.ndarray) -> None:
    sample = fit_null_model(points, 0).sample("skewed", 5, seed=0)
    assert sample.shape == (5, min(points.shape))
    assert np.isfinite(sample).all()
