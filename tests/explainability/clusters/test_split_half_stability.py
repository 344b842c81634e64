import numpy as np
import pytest

from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.split_half_stability import (
    STABLE_AGREEMENT,
    sample_images,
    split_half_agreements,
    split_images,
)

THREE = KMeansClusterer(KMeansOptions(smallest=3, largest=3, restarts=3))


def test_halves_are_of_photographs() -> None:
    groups = np.repeat(np.arange(10), 3)
    first = split_images(groups, seed=0)
    assert first.sum() == 15
    assert (first.reshape(10, 3).all(axis=1) == first.reshape(10, 3).any(axis=1)).all()


def test_planted_clusters_are_found_again() -> None:
    rng = np.random.default_rng(0)
    points = np.array([[0, 0], [8, 0], [0, 8]])[rng.integers(0, 3, 200)] + rng.normal(size=(200, 2))
    assert split_half_agreements(points, np.arange(200), THREE, 3, 4, seed=0) == pytest.approx(np.ones(4))


def test_noise_is_divided_otherwise_every_time() -> None:
    points = np.random.default_rng(0).normal(size=(200, 10))
    found = split_half_agreements(points, np.arange(200), THREE, 3, 4, seed=0)
    assert len(found) == 4
    assert found.max() < STABLE_AGREEMENT / 2


def test_few_photographs_give_no_answer() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2))
    assert len(split_half_agreements(points, np.zeros(20, dtype=np.int64), THREE, 3, 3, seed=0)) == 0


def test_whole_photographs_are_drawn_until_they_hold_enough() -> None:
    groups = np.repeat(np.arange(40), 3)
    rows = sample_images(groups, 10, seed=0)
    assert len(rows) == 12  # 4 photographs of 3
    assert np.bincount(groups[rows]).max() == np.bincount(groups[rows])[np.unique(groups[rows])].min() == 3
    assert not np.array_equal(rows, sample_images(groups, 10, seed=1))
    for persons in (None, 120, 500):
        np.testing.assert_array_equal(sample_images(groups, persons, 0), np.arange(120))
