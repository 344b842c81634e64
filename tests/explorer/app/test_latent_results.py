"""Tests of posescope.explorer.app.latent_results."""

import numpy as np
import pytest

pytest.importorskip("dash")

from posescope.explorer.app.latent_results import lay_out_end, tabulate_joints
from posescope.explorer.latent_requests import LatentAnswer
from posescope.explorer.table_metadata import ComponentAbout

JOINTS = ("left_dot", "right_dot")


def answer_of(moved: list[float], scores: list[float], quantile: float) -> LatentAnswer:
    joints, maps = np.zeros((2, 2), np.float32), np.zeros((2, 4, 4), np.float32)
    before = np.array([0.9, 0.9], np.float32)
    return LatentAnswer(joints, np.array(scores, np.float32), maps, joints, before, 0.9, np.array(moved), (1,), quantile)


def test_tables_have_a_row_per_joint_and_mark_the_chosen_one() -> None:
    tables = tabulate_joints(answer_of([1.0, 4.26], [0.8, 0.1], 0.5), JOINTS, chosen=1)
    rows = [row for table in tables for row in table.children[1].children]
    assert [[cell.children for cell in row.children] for row in rows] == [
        ["left dot", "1.0", "0.80", "0.90"],
        ["right dot", "4.3", "0.10", "0.90"],
    ]
    assert [row.className for row in rows] == ["", "chosen"]
    assert len(tables) == 2


def test_end_without_persons_or_name_says_which_end_it_is() -> None:
    component = ComponentAbout(number=7, title="component 7 (no name)", explained=0.1)
    end = lay_out_end(component, "high", [], [], [])
    assert end.children[0].children == "High end"
    assert end.children[1].children == []
