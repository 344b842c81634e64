import numpy as np
import pytest
from scipy.stats import bootstrap

from posescope.evaluation.bootstrap import bootstrap_difference, bootstrap_mean


def test_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 200)
    ours = bootstrap_mean(values, seed=1, resamples=4000)
    theirs = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2))
    assert ours.estimate == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)  # the resamples' own noise


def test_same_seed_same_interval_and_nan_left_out() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0])
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values[[0, 1, 3]], seed=3)


def test_constant_values_have_no_width() -> None:
    found = bootstrap_mean(np.full(5, 0.25), seed=0)
    assert (found.estimate, found.low, found.high) == (0.25, 0.25, 0.25)
    assert found.excludes_zero


def test_difference_of_far_groups_excludes_zero_and_of_like_groups_does_not() -> None:
    rng = np.random.default_rng(0)
    low, high = rng.normal(0, 1, 100), rng.normal(2, 1, 100)
    far = bootstrap_difference(low, high, seed=0)
    assert far.estimate == pytest.approx(low.mean() - high.mean())
    assert far.high < 0
    assert far.excludes_zero
    assert not bootstrap_difference(low, low[::-1], seed=0).excludes_zero


def test_nobody_has_no_interval() -> None:
    found = bootstrap_mean(np.array([np.nan]), seed=0)
    assert np.isnan([found.estimate, found.low, found.high]).all()
    assert not found.excludes_zero
    assert np.isnan(bootstrap_difference(np.empty(0), np.ones(3), seed=0).estimate)
