"""Tests of posescope.explorer.latent_pictures; the pictures are tested with the tab (app/test_latent_tab.py)."""

import numpy as np

from posescope.explorer.latent_pictures import describe_answer
from posescope.explorer.latent_requests import LatentAnswer

JOINTS = ("left_dot", "right_dot")


def answer_of(moved: list[float], scores: list[float], quantile: float) -> LatentAnswer:
    joints, maps = np.zeros((2, 2), np.float32), np.zeros((2, 4, 4), np.float32)
    before = np.array([0.9, 0.9], np.float32)
    return LatentAnswer(joints, np.array(scores, np.float32), maps, joints, before, 0.9, np.array(moved), (1,), quantile)


def test_summary_names_the_joint_that_moved_most_and_what_is_lost() -> None:
    text = describe_answer(answer_of([1.0, 4.0], [0.8, 0.1], 0.99), JOINTS)
    assert "2.5 px on average" in text
    assert "right dot moved most (4.0 px)" in text
    assert "1 joint found before is not found now" in text
    assert "Unusual: 99%" in text
    unchanged = describe_answer(answer_of([0.0, 0.0], [0.9, 0.9], float("nan")), JOINTS)
    assert "nan" not in unchanged
    assert "px" not in unchanged
