"""k-means is as tight as scikit-learn's, with starts on everybody and with starts on a sample."""

import os
import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from posescope.explainability.clustering import kmeans as kmeans_fit
from posescope.explainability.clustering import thread_pool as threads
from posescope.explainability.clustering.base import nearest_centres
from posescope.explainability.clustering.kmeans import fit_kmeans
from posescope.explainability.features import row_blocks as rows

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = np.random.default_rng(3).integers(0, 5, 2500)


def planted() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(5, 12)) * 2)[KINDS] + rng.normal(size=(2500, 12))


def unplanted() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2500, 12)) * np.linspace(3, 0.5, 12)


@pytest.mark.parametrize(
    ("start_persons", "device"),
    [(500, None), (10_000, None), (500, torch.device("cpu"))],
    ids=["sample", "everybody", "sample on a device"],
)
@pytest.mark.parametrize("points", [planted(), unplanted()], ids=["planted", "unplanted"])
def test_inertia_is_within_one_percent_of_scikit_learn(points, start_persons: int, device) -> None:
    found = fit_kmeans(points, [2, 5, 8], restarts=10, start_persons=start_persons, seed=0, device=device)
    for k, fit in found.items():
        with threadpool_limits(1):
            expected = KMeans(n_clusters=k, n_init=10, random_state=1).fit(points).inertia_
        assert fit.inertia <= 1.01 * expected
        own = ((points - fit.centres[fit.labels]) ** 2).sum()
        assert fit.inertia == pytest.approx(own, rel=1e-4)


@pytest.mark.parametrize("device", [None, torch.device("cpu")], ids=["threads", "device"])
def test_planted_clusters_are_found_and_every_start_finds_them(device) -> None:
    found = fit_kmeans(planted(), [5], restarts=4, start_persons=500, seed=0, device=device)[5]
    assert adjusted_rand_score(KINDS, found.labels) > 0.99
    assert found.agreement is not None
    assert found.agreement > 0.6  # a start may merge two of them


@pytest.mark.parametrize("device", [None, torch.device("cpu")], ids=["threads", "device"])
def test_seeded(device) -> None:
    first, second = (fit_kmeans(unplanted(), [3], 3, 500, seed=4, device=device)[3] for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.centres, second.centres)
    assert first.inertia == second.inertia


def test_a_device_finds_the_same_planted_clusters_in_float32(monkeypatch) -> None:
    monkeypatch.setattr(kmeans_fit, "_FEW_NUMBERS", 0)
    points = planted() + 100  # far from the origin distances would lose digits
    expected, found = (fit_kmeans(points, [5], 10, 500, seed=0, device=device)[5] for device in (None, torch.device("cpu")))
    assert adjusted_rand_score(expected.labels, found.labels) == 1
    assert found.inertia == pytest.approx(expected.inertia, rel=1e-5)
    order = np.argsort(found.centres[:, 0]), np.argsort(expected.centres[:, 0])
    np.testing.assert_allclose(found.centres[order[0]], expected.centres[order[1]], atol=1e-4)


def test_memory_beside_the_points_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 50_000)  # 0.4 MB
    monkeypatch.setattr(kmeans_fit, "_FEW_NUMBERS", 0)
    monkeypatch.setattr(threads, "_MOST_BYTES", 10_000_000)
    points = np.random.default_rng(0).normal(size=(20_000, 60)).astype(np.float32)  # 4.8 MB
    tracemalloc.start()
    fit_kmeans(points, [2, 3, 4], restarts=1, start_persons=500, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One copy, two more of the one fit that goes on, and blocks. Three fits at once would hold 7 copies.
    assert peak < 4 * points.nbytes


def test_one_start_has_none_to_agree_with() -> None:
    assert fit_kmeans(unplanted(), [2], 1, 500, seed=0)[2].agreement is None


def test_nearest_centres() -> None:
    rng = np.random.default_rng(0)
    points, centres = rng.normal(size=(50, 4)) + 100, rng.normal(size=(3, 4)) + 100
    expected = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest_centres(points, centres), expected)
