"""k-means in torch does what scikit-learn's does from the same starts."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from posescope.explainability.clustering import torch_backend as lloyd
from posescope.explainability.clustering.torch_backend import draw_start, measure_inertia, nearest, run_lloyd

pytestmark = pytest.mark.usefixtures("one_thread")
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def overlapping(dtype: type = np.float64) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(1000, 10)) * np.linspace(3, 0.5, 10)
    return (points - points.mean(axis=0)).astype(dtype)


def scikit_learn(points: np.ndarray, start: np.ndarray) -> KMeans:
    with threadpool_limits(1):
        return KMeans(n_clusters=len(start), init=start, n_init=1).fit(points)


@DTYPES
@pytest.mark.parametrize("block", [10_000, 16_000_000])
def test_several_starts_at_once_end_where_scikit_learn_ends(dtype: type, block: int, monkeypatch) -> None:
    monkeypatch.setattr(lloyd, "_BLOCK_NUMBERS", block)
    points = overlapping(dtype)
    starts = np.stack([points[np.random.default_rng(seed).choice(len(points), 6, replace=False)] for seed in range(3)])
    moved = torch.from_numpy(points)
    labels, centres = run_lloyd(moved, torch.from_numpy(starts))
    for start, own, ends in zip(starts, labels, centres, strict=True):
        expected = scikit_learn(points, start)
        assert measure_inertia(moved, own, ends) == pytest.approx(expected.inertia_, rel=1e-4)
        assert (
            adjusted_rand_score(expected.labels_, own.numpy()) > 0.98
        )  # where float32 adds otherwise, a few on the border go over
        if dtype is np.float64:
            np.testing.assert_array_equal(own.numpy(), expected.labels_)
            np.testing.assert_allclose(ends.numpy(), expected.cluster_centers_, atol=1e-9)


@DTYPES
def test_centres_without_points_go_where_scikit_learn_puts_them(dtype: type) -> None:
    points = overlapping(dtype)
    start = np.concatenate([points[:3], np.full((2, 10), 1000, dtype=dtype)])  # nobody is nearest to the last two
    expected = scikit_learn(points, start)
    labels, centres = run_lloyd(torch.from_numpy(points), torch.from_numpy(start)[None])
    assert len(np.unique(labels)) == 5
    assert adjusted_rand_score(expected.labels_, labels[0].numpy()) > 0.98
    assert measure_inertia(torch.from_numpy(points), labels[0], centres[0]) == pytest.approx(expected.inertia_, rel=1e-4)


def test_fewer_distinct_points_than_clusters() -> None:
    points = torch.tensor([[-2.0], [-1], [3]]).repeat_interleave(4, dim=0)
    labels, centres = run_lloyd(points, torch.stack([draw_start(points, 5, seed) for seed in range(3)]))
    assert torch.isfinite(centres).all()
    for own in labels:
        assert np.bincount(own)[np.bincount(own) > 0].tolist() == [4, 4, 4]


def test_by_hand() -> None:
    points = torch.tensor([[0.0], [1], [5], [9]])
    labels, centres = run_lloyd(points, torch.tensor([[[0.0], [1]]]))
    # {0} {1, 5, 9} -> centres 0, 5 -> {0, 1} {5, 9} -> centres 0.5, 7
    assert labels.tolist() == [[0, 0, 1, 1]]
    assert centres.tolist() == [[[0.5], [7.0]]]
    assert measure_inertia(points, labels[0], centres[0]) == 0.25 + 0.25 + 4 + 4


def test_nearest_is_the_first_of_equals(monkeypatch) -> None:
    monkeypatch.setattr(lloyd, "_BLOCK_NUMBERS", 5)
    points, centres = torch.tensor([[0.0], [2], [3]]), torch.tensor([[[1.0], [3]], [[-1], [1]]])
    assert nearest(points, centres).tolist() == [[0, 0, 1], [0, 1, 1]]


def test_starts_are_points_seeded_and_as_tight_as_those_of_scikit_learn() -> None:
    points = overlapping()
    starts = [draw_start(torch.from_numpy(points), 8, seed).numpy() for seed in range(20)]
    assert all((start[:, None] == points).all(axis=2).any(axis=1).all() for start in starts)
    np.testing.assert_array_equal(starts[3], draw_start(torch.from_numpy(points), 8, 3).numpy())
    own = [_potential(points, start) for start in starts]
    theirs = [_potential(points, kmeans_plusplus(points, 8, random_state=seed)[0]) for seed in range(20)]
    assert np.mean(own) == pytest.approx(np.mean(theirs), rel=0.03)


def _potential(points: np.ndarray, centres: np.ndarray) -> float:
    return float(((points[:, None] - centres) ** 2).sum(axis=2).min(axis=1).sum())
