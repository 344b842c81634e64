"""Tests of posescope.explorer.app.latent_results."""

import numpy as np
import pytest

pytest.importorskip("dash")

from posescope.explorer.app.latent_results import describe_answer, tabulate_joints
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


def test_table_has_a_row_per_joint_and_marks_the_chosen_one() -> None:
    rows = tabulate_joints(answer_of([1.0, 4.26], [0.8, 0.1], 0.5), JOINTS, chosen=1)
    assert [[cell.children for cell in row.children] for row in rows] == [
        ["left dot", "1.0", "0.80", "0.90"],
        ["right dot", "4.3", "0.10", "0.90"],
    ]
    assert [row.className for row in rows] == ["", "chosen"]
