"""Tests of posescope.prediction.video.one_euro."""

import numpy as np
import pytest

from posescope.prediction.video.one_euro import OneEuroFilter, SmoothingOptions


def weight(cutoff_hz: float, step_s: float) -> float:
    return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * step_s))


def point(x: float, y: float = 0.0) -> np.ndarray:
    return np.array([[x, y]])


def test_two_steps_by_hand() -> None:
    smooth = OneEuroFilter(SmoothingOptions(min_cutoff_hz=1, speed_coefficient=2, speed_cutoff_hz=1))
    assert smooth(point(100), 50, 0.0).tolist() == [[100, 0]]
    speed = weight(1, 0.1) * 10 / 0.1 / 50
    expected = 100 + weight(1 + 2 * speed, 0.1) * 10
    assert smooth(point(110), 50, 0.1)[0] == pytest.approx((expected, 0))
    speed += weight(1, 0.2) * ((90 - expected) / 0.2 / 50 - speed)
    again = expected + weight(1 + 2 * abs(speed), 0.2) * (90 - expected)
    assert smooth(point(90), 50, 0.3)[0] == pytest.approx((again, 0))


def test_joint_at_rest_jitters_less_and_fast_joint_does_not_lag() -> None:
    rng, options = np.random.default_rng(0), SmoothingOptions()
    noise, rest, run = rng.normal(size=(200, 2)), OneEuroFilter(options), OneEuroFilter(options)
    still = np.array([rest(noise[frame : frame + 1], 100, frame / 25)[0] for frame in range(200)])
    assert still[50:].std() < 0.7 * noise[50:].std()
    moving = np.array([run(point(8 * frame), 100, frame / 25)[0, 0] for frame in range(200)])
    assert abs(moving[-1] - 8 * 199) < 4, "half of the motion from one frame to the next"


def test_missing_joint_stays_missing_and_others_go_on() -> None:
    smooth = OneEuroFilter(SmoothingOptions(max_gap_s=0.5))
    first, gap = np.array([[0.0, 0], [5, 5]]), np.array([[np.nan, np.nan], [6, 6]])
    smooth(first, 100, 0.0)
    found = smooth(gap, 100, 0.1)
    assert np.isnan(found[0]).all()
    assert 5 < found[1, 0] < 6
    found = smooth(np.array([[10.0, 0], [6, 6]]), 100, 0.2)
    assert 0 < found[0, 0] < 10, "the filter has waited"


def test_filter_starts_anew_after_a_gap_and_when_time_runs_back() -> None:
    smooth = OneEuroFilter(SmoothingOptions(max_gap_s=0.5))
    smooth(point(0), 100, 0.0)
    assert smooth(point(10), 100, 0.6).tolist() == [[10, 0]]
    assert smooth(point(30), 100, 0.1).tolist() == [[30, 0]]


def test_result_is_independent_of_the_scale_and_the_input_is_unchanged() -> None:
    small, large, joints = OneEuroFilter(SmoothingOptions()), OneEuroFilter(SmoothingOptions()), np.ones((3, 2))
    for frame in range(5):
        moved = joints * frame**2
        before = moved.copy()
        np.testing.assert_allclose(10 * small(moved, 20, frame / 10), large(10 * moved, 200, frame / 10))
        np.testing.assert_array_equal(moved, before)
