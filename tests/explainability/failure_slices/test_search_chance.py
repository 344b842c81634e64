import numpy as np
import pytest

from posescope.explainability.failure_slices.search_chance import GapScale, SearchChance, permute_by_photograph


def test_photographs_keep_their_persons_together():
    groups = np.array([3, 3, 7, 7, 1, 1, 4, 4, 9, 9, 2, 5, 6, 8, 10])
    for rows in permute_by_photograph(groups, 20, seed=0):
        assert sorted(rows) == list(range(15))
        assert all(groups[rows[first]] == groups[rows[first + 1]] for first in range(0, 10, 2))


def test_photographs_of_rare_sizes_exchange_values_too():
    groups = np.array([0, 0, 0, 1, 2, 2])
    drawn = {tuple(rows) for rows in permute_by_photograph(groups, 200, seed=0)}
    assert len(drawn) == 6  # 3! orders of the photographs
    assert all(sorted(rows) == list(range(6)) for rows in drawn)


def test_the_standard_error_is_that_of_independent_persons():
    rng = np.random.default_rng(0)
    pck = rng.random(4000)
    scale = GapScale.of(pck, np.arange(4000))
    weights = np.where(np.arange(4000) < 1000, -1 / 1000, 1 / 3000)
    assert scale.correlation == 0
    assert scale.standard_error(weights) == pytest.approx(np.sqrt(pck.var() * (1 / 1000 + 1 / 3000)))


def test_the_correlation_within_photographs_is_found():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(2000), 3)
    pck = 0.6 * rng.normal(size=2000)[groups] + 0.8 * rng.normal(size=6000)
    assert GapScale.of(pck, groups).correlation == pytest.approx(0.36, abs=0.04)


def test_equal_pck_has_no_scale():
    scale = GapScale.of(np.full(10, 0.5), np.arange(10))
    assert scale.standard_error(np.ones(10)) == 0


def test_small_p_values_come_from_the_tail_and_large_ones_are_counted():
    largest = np.where(np.arange(200) < 100, 0.0, np.random.default_rng(0).gumbel(2.0, 0.5, 200))
    chance = SearchChance(largest)
    assert chance.p_value(0.5) == pytest.approx((1 + (largest >= 0.5).sum()) / 201)
    assert chance.p_value(2.0 + 0.5 * 9) == pytest.approx(0.5 * np.exp(-9), rel=0.9)
    assert chance.p_value(6.0) > chance.p_value(8.0) > 0


def test_where_permuted_searches_find_nothing_p_is_that_of_a_typical_search():
    chance = SearchChance(np.zeros(20))
    assert 0.1 < chance.p_value(3.0) < 0.4
    assert chance.p_value(12.0) < 1e-3
    # Never below the fraction of the searches that find as much.
    assert SearchChance(np.array([0.0] * 15 + [9.0] * 5)).p_value(8.9) >= 0.25


def test_gaps_by_chance_are_scaled():
    assert SearchChance(np.array([0.0, 2.0, 4.0])).gaps(0.1).estimate == pytest.approx(0.2)
