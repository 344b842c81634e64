import numpy as np
import pytest

from posescope.evaluation.per_joint import JOINT_ERROR_COLUMNS, joint_error_table, joint_errors


def test_distances_and_missing() -> None:
    errors = joint_errors(np.array([[[3.0, 4.0], [1.0, 1.0]]]), np.array([[[0.0, 0.0], [np.nan, np.nan]]]))
    np.testing.assert_array_equal(errors, [[5.0, np.nan]])


def test_table_by_hand(make_scored) -> None:
    # Joint 0: 5 px where visible, 10 px where hidden; the box's longer side is 100 px. Joint 1: never labelled.
    truth = [[[0, 0], [np.nan, np.nan]], [[0, 0], [np.nan, np.nan]]]
    table = joint_error_table(make_scored([[[3, 4], [0, 0]], [[10, 0], [0, 0]]], truth, [[2, 0], [1, 0]]), ("nose", "hip"))
    assert tuple(table.columns) == JOINT_ERROR_COLUMNS
    nose = table[table["joint"] == "nose"].set_index("visibility")
    assert nose.loc["visible", "mean_error_px"] == 5.0
    assert nose.loc["occluded", "mean_error_px"] == 10.0
    assert nose.loc["all", "mean_error_px"] == 7.5
    assert nose.loc["all", "normalised_mean_error"] == pytest.approx(0.075)
    hip = table[table["joint"] == "hip"]
    assert hip["labelled"].tolist() == [0, 0, 0]
    assert hip["mean_error_px"].isna().all()


def test_who_was_missed_has_no_distance_and_is_counted(make_scored) -> None:
    table = joint_error_table(make_scored([[[3, 4]], [[np.nan, np.nan]]], [[[0, 0]], [[0, 0]]], [[2], [2]]), ("nose",))
    visible = table.set_index("visibility").loc["visible"]
    assert visible[["persons", "not_found", "labelled", "mean_error_px"]].tolist() == [2, 1, 1, 5.0]


def test_nobody(make_scored) -> None:
    table = joint_error_table(make_scored(np.empty((0, 1, 2)), np.empty((0, 1, 2)), np.empty((0, 1))), ("nose",))
    assert table["labelled"].tolist() == [0, 0, 0]
