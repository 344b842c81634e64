"""Tests of posescope.prediction.video.assignment."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from posescope.prediction.video.assignment import assign, match_above


def test_smallest_sum_of_costs() -> None:
    assert assign(np.array([[1.0, 2.0], [1.0, 5.0]])) == [(0, 1), (1, 0)], "2 + 1 instead of 1 + 5"


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty(shape: tuple[int, int]) -> None:
    assert assign(np.empty(shape)) == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (12, 9)])
def test_sum_is_that_of_scipy(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(shape))
    for whole in (False, True):
        for _ in range(20):
            costs = rng.integers(0, 4, shape).astype(float) if whole else rng.normal(size=shape)
            pairs = assign(costs)
            assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == min(shape)
            assert sum(costs[pair] for pair in pairs) == pytest.approx(costs[linear_sum_assignment(costs)].sum())


def test_pairs_below_the_minimum_are_left_out() -> None:
    similarities = np.array([[0.9, 0.8], [0.7, 0.1]])
    assert match_above(similarities, 0.2) == [(0, 1), (1, 0)]
    assert match_above(similarities, 0.75) == [(0, 0)]
    assert match_above(similarities, 0.95) == []
