"""Tests of posescope.explorer.latent_pictures; the pictures are tested with the tab (app/test_latent_tab.py)."""

import numpy as np

from posescope.explorer.latent_pictures import found_joints, found_joints_before
from posescope.explorer.latent_requests import LatentAnswer


def test_joints_with_a_fifth_of_the_highest_peak_are_found() -> None:
    joints, maps = np.zeros((2, 2), np.float32), np.zeros((2, 4, 4), np.float32)
    scores, before = np.array([0.11, 0.09], np.float32), np.array([0.05, 0.5], np.float32)
    answer = LatentAnswer(joints, scores, maps, joints, before, 0.5, np.zeros(2), (1,), 0.5)
    assert found_joints(answer).tolist() == [True, False]
    assert found_joints_before(answer).tolist() == [False, True]
