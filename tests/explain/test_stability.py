import numpy as np
import pytest

from posescope.explain.kmeans import KMeansClusterer, KMeansOptions
from posescope.explain.stability import STABLE, agreements_of_halves, split_in_halves

THREE = KMeansClusterer(KMeansOptions(smallest=3, largest=3, restarts=3))


def test_halves_are_of_photographs() -> None:
    groups = np.repeat(np.arange(10), 3)
    first = split_in_halves(groups, seed=0)
    assert first.sum() == 15
    assert (first.reshape(10, 3).all(axis=1) == first.reshape(10, 3).any(axis=1)).all()


def test_planted_clusters_are_found_again() -> None:
    rng = np.random.default_rng(0)
    points = np.array([[0, 0], [8, 0], [0, 8]])[rng.integers(0, 3, 200)] + rng.normal(size=(200, 2))
    assert agreements_of_halves(points, np.arange(200), THREE, 3, 4, seed=0) == pytest.approx(np.ones(4))


def test_noise_is_divided_otherwise_every_time() -> None:
    points = np.random.default_rng(0).normal(size=(200, 10))
    found = agreements_of_halves(points, np.arange(200), THREE, 3, 4, seed=0)
    assert len(found) == 4
    assert found.max() < STABLE / 2


def test_few_photographs_give_no_answer() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2))
    assert len(agreements_of_halves(points, np.zeros(20, dtype=np.int64), THREE, 3, 3, seed=0)) == 0
