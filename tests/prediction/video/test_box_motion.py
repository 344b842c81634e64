"""Tests of posescope.prediction.video.box_motion."""

import numpy as np
import pytest

from posescope.prediction.video.box_motion import BoxMotion


def test_first_box_is_expected_at_rest() -> None:
    assert BoxMotion((1, 2, 3, 4), 5.0).predict(9.0) == pytest.approx((1, 2, 3, 4))


def test_one_update_by_hand() -> None:
    motion = BoxMotion((0, 0, 10, 20), 0.0)
    motion.update((4, 0, 10, 20), 0.5)
    start, velocity, measured = (2 * 20 / 20) ** 2, (1.9 * 20) ** 2, (20 / 20) ** 2
    variance = start + velocity * 0.25 + 400 * 0.125 / 3
    covariance = velocity * 0.5 + 400 * 0.25 / 2
    place, speed = 4 * variance / (variance + measured), 4 * covariance / (variance + measured)
    assert motion.predict(0.5)[0] == pytest.approx(place)
    assert motion.predict(1.5)[0] == pytest.approx(place + speed)
    assert motion.predict(1.5)[1:] == pytest.approx((0, 10, 20))


def test_constant_motion_is_learnt_at_uneven_times() -> None:
    motion = BoxMotion((0, 50, 40, 100), 0.0)
    for time_s in np.cumsum([0.04, 0.02, 0.08, 0.04, 0.04, 0.12, 0.04, 0.04, 0.04, 0.04, 0.04]):
        motion.update((200 * time_s, 50, 40, 100), float(time_s))
    assert motion.predict(1.0) == pytest.approx((200, 50, 40, 100), abs=3)


def test_side_stays_positive() -> None:
    motion = BoxMotion((0, 0, 40, 100), 0.0)
    motion.update((0, 0, 10, 30), 0.1)
    assert min(motion.predict(60.0)[2:]) >= 1
