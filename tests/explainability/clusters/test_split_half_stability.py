import numpy as np
import pytest

from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.split_half_stability import (
    STABLE_AGREEMENT,
    cluster_halves,
    sample_images,
    split_images,
)

CLUSTERER = KMeansClusterer(KMeansOptions(largest=4, restarts=3))


def test_halves_consist_of_whole_images() -> None:
    groups = np.repeat(np.arange(10), 3)
    first = split_images(groups, seed=0)
    assert first.sum() == 15
    assert (first.reshape(10, 3).all(axis=1) == first.reshape(10, 3).any(axis=1)).all()


def test_planted_clusters_are_stable() -> None:
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [8, 0], [0, 8]])
    points = corners[rng.integers(0, 3, 200)] + rng.normal(size=(200, 2))
    halves = cluster_halves(points, np.arange(200), CLUSTERER, [2, 3], seed=0)
    assert halves.agreements(points)[3] == pytest.approx(1)
    matched = halves.matched(corners.astype(np.float64))
    assert matched is not None
    for own in matched:  # in the order of the given centres
        np.testing.assert_allclose(own, corners, atol=0.6)
    assert halves.matched(np.zeros((4, 2))) is None


def test_clusters_of_noise_are_unstable() -> None:
    points = np.random.default_rng(0).normal(size=(200, 10))
    found = cluster_halves(points, np.arange(200), CLUSTERER, [3], seed=0).agreements(points)
    assert found[3] < STABLE_AGREEMENT / 2


def test_one_image_has_no_halves_and_few_persons_few_clusters() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2))
    assert cluster_halves(points, np.zeros(20, dtype=np.int64), CLUSTERER, [2, 3], seed=0).centres == {}
    assert sorted(cluster_halves(points[:10], np.arange(10), CLUSTERER, [2, 3], seed=0).centres) == [2]


def test_whole_images_are_sampled_until_there_are_enough_persons() -> None:
    groups = np.repeat(np.arange(40), 3)
    rows = sample_images(groups, 10, seed=0)
    assert len(rows) == 12  # 4 images of 3
    assert np.bincount(groups[rows]).max() == np.bincount(groups[rows])[np.unique(groups[rows])].min() == 3
    assert not np.array_equal(rows, sample_images(groups, 10, seed=1))
    for persons in (None, 120, 500):
        np.testing.assert_array_equal(sample_images(groups, persons, 0), np.arange(120))
