"""k-means is as tight as scikit-learn's, with starts on everybody and with starts on a sample."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from posescope.explain.clustering import nearest_centres
from posescope.explain.kmeans_fit import fit_kmeans

KINDS = np.random.default_rng(3).integers(0, 5, 2500)


def planted() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(5, 12)) * 2)[KINDS] + rng.normal(size=(2500, 12))


def unplanted() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2500, 12)) * np.linspace(3, 0.5, 12)


@pytest.mark.parametrize("start_persons", [500, 10_000])
@pytest.mark.parametrize("points", [planted(), unplanted()], ids=["planted", "unplanted"])
def test_inertia_is_within_one_percent_of_scikit_learn(points, start_persons: int) -> None:
    found = fit_kmeans(points, [2, 5, 8], restarts=10, start_persons=start_persons, seed=0)
    for k, fit in found.items():
        with threadpool_limits(1):
            expected = KMeans(n_clusters=k, n_init=10, random_state=1).fit(points).inertia_
        assert fit.inertia <= 1.01 * expected
        own = ((points - fit.centres[fit.labels]) ** 2).sum()
        assert fit.inertia == pytest.approx(own, rel=1e-4)


def test_planted_clusters_are_found_and_every_start_finds_them() -> None:
    found = fit_kmeans(planted(), [5], restarts=4, start_persons=500, seed=0)[5]
    assert adjusted_rand_score(KINDS, found.labels) > 0.99
    assert found.agreement is not None
    assert found.agreement > 0.6  # a start may merge two of them


def test_seeded() -> None:
    first, second = (fit_kmeans(unplanted(), [3], 3, 500, seed=4)[3] for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.centres, second.centres)
    assert first.inertia == second.inertia


def test_one_start_has_none_to_agree_with() -> None:
    assert fit_kmeans(unplanted(), [2], 1, 500, seed=0)[2].agreement is None


def test_nearest_centres() -> None:
    rng = np.random.default_rng(0)
    points, centres = rng.normal(size=(50, 4)) + 100, rng.normal(size=(3, 4)) + 100
    expected = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest_centres(points, centres), expected)
