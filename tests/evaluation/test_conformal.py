"""Tests of posescope.evaluation.conformal."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from posescope.evaluation.conformal import (
    UncertaintyOptions,
    calibrate_joints,
    conformal_radius,
    least_photographs,
)

OPTIONS = UncertaintyOptions()


def plant(seed: int, persons: int = 400, joints: int = 5) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return errors that fall with the score, have heavy tails, and are alike in photographs of up to four persons."""
    rng = np.random.default_rng(seed)
    photographs = np.repeat(np.arange(persons), rng.integers(1, 5, size=persons))[:persons]
    shared = rng.normal(size=persons)[photographs, None]
    difficulty = (shared + rng.normal(size=(persons, joints))) / math.sqrt(2)
    errors = np.exp(difficulty + 0.5 * rng.standard_t(4, size=difficulty.shape))
    hidden = rng.random(errors.shape) < 0.3
    return np.where(hidden, np.nan, errors), -difficulty, photographs.astype(np.int64)


@pytest.mark.parametrize(("level", "least"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_least_number_of_photographs(level: float, least: int) -> None:
    assert least_photographs(level) == least
    errors = np.arange(float(least))
    assert conformal_radius(errors, np.arange(least), level) == least - 1
    assert math.isnan(conformal_radius(errors[1:], np.arange(least - 1), level))


def test_radius_is_the_quantile_with_the_correction_by_photographs() -> None:
    errors = np.arange(1.0, 101.0)
    assert conformal_radius(errors, np.arange(100), 0.9) == 91.0  # rank ceil(0.9 * 101)
    assert conformal_radius(errors, np.arange(100) // 10, 0.9) == 99.0  # ten photographs: rank ceil(0.9 * 11 / 10 * 100)
    assert conformal_radius(errors[::-1], np.arange(100), 0.5) == 51.0  # the order has no effect


def test_new_photographs_are_covered_at_every_level() -> None:
    levels = OPTIONS.levels
    inside, judged = np.zeros(len(levels)), 0
    for seed in range(30):
        errors, scores, photographs = plant(seed)
        chosen = photographs % 2 == 0
        table = calibrate_joints(errors[chosen], scores[chosen], photographs[chosen], OPTIONS)
        known = ~np.isnan(errors[~chosen])
        inside += [(errors[~chosen] <= table.radii(scores[~chosen], level))[known].sum() for level in levels]
        judged += known.sum()
    assert (inside / judged >= np.array(levels) - 0.01).all()
    assert (inside / judged <= np.array(levels) + 0.03).all()


def test_joints_of_a_low_score_have_a_larger_radius() -> None:
    errors, scores, photographs = plant(1)
    table = calibrate_joints(errors, scores, photographs, OPTIONS)
    low, high = table.radii(np.array([[-2.0] * 5, [2.0] * 5]), 0.9)
    assert (low > 2 * high).all()
    assert all(len(joint.score_edges) == 3 for joint in table.joints)


def test_noise_of_one_joint_widens_no_other_radius() -> None:
    errors, scores, photographs = plant(2)
    noisy = errors.copy()
    noisy[:, 3] += 20
    before, after = (calibrate_joints(one, scores, photographs, OPTIONS).radii(scores, 0.9) for one in (errors, noisy))
    np.testing.assert_allclose(after[:, 3], before[:, 3] + 20)
    np.testing.assert_array_equal(np.delete(after, 3, axis=1), np.delete(before, 3, axis=1))


def test_a_joint_with_few_photographs_has_no_radius_and_a_reason() -> None:
    errors, scores, photographs = plant(3, persons=60)
    errors[photographs >= 8, 0] = np.nan
    table = calibrate_joints(errors, scores, photographs, OPTIONS)
    first, second = table.joints[:2]
    assert first.photographs <= 8
    assert first.reason == f"labelled in {first.photographs} calibration photographs, at least 9 are needed"
    assert np.isnan(table.radii(scores, 0.9)[:, 0]).all()
    assert np.isfinite(table.radii(scores, 0.5)[:, 0]).all()  # fewer suffice for a lower level
    assert second.reason == ""
    assert len(second.score_edges) == 0  # too few photographs for two ranges of scores


def test_no_calibration_person_gives_no_radius() -> None:
    table = calibrate_joints(np.empty((0, 2)), np.empty((0, 2)), np.empty(0, np.int64), OPTIONS)
    assert [joint.labels for joint in table.joints] == [0, 0]
    assert np.isnan(table.radii(np.ones((3, 2)), 0.9)).all()


def test_a_joint_without_score_has_no_radius() -> None:
    errors, scores, photographs = plant(4)
    scores[0] = np.nan
    radii = calibrate_joints(errors, scores, photographs, OPTIONS).radii(scores, 0.9)
    assert np.isnan(radii[0]).all()
    assert np.isfinite(radii[1:]).all()


def test_equal_scores_are_one_range() -> None:
    errors, scores, photographs = plant(5)
    table = calibrate_joints(errors, np.zeros_like(scores), photographs, OPTIONS)
    assert all(len(joint.score_edges) == 0 and not np.isnan(joint.radii).any() for joint in table.joints)


def test_wrong_options_are_refused() -> None:
    assert UncertaintyOptions(level=0.8, other_levels=(0.8, 0.5)).levels == (0.5, 0.8)
    with pytest.raises(ValidationError):
        UncertaintyOptions(other_levels=(1.0,))
    with pytest.raises(ValidationError):
        UncertaintyOptions(level=0.3)
