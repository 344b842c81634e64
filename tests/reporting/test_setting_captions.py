"""Tests of posescope.reporting.setting_captions: the evaluation setting of a table as text."""

import pandas as pd
import pytest

from posescope.evaluation.error_analysis.error_types import ALL_JOINTS
from posescope.evaluation.metric_values import EvaluationSetting, add_setting
from posescope.reporting.setting_captions import add_setting_to_caption, describe_evaluation_setting, drop_setting_columns

TABLE = pd.DataFrame({"persons": [3, 1213], "not_found": [0, 4], "oks": [0.5, 0.25]})


def test_complete_setting_is_described() -> None:
    table = add_setting(TABLE, EvaluationSetting("coco", "val", "ground_truth", True))
    assert describe_evaluation_setting(table) == (
        "1,213 persons of val, 4 without prediction; protocol coco (all labelled persons); ground-truth crops; with flip test"
    )


def test_joints_of_different_numbers_of_persons_state_no_number() -> None:
    joints = add_setting(TABLE.assign(joint=["nose", "left_hip"]), EvaluationSetting("crops", "val", "ground_truth", True))
    assert describe_evaluation_setting(joints).startswith("split val; protocol crops")
    with_all = joints.assign(joint=["nose", ALL_JOINTS])
    assert describe_evaluation_setting(with_all).startswith("1,213 persons of val")


def test_unknown_parts_of_a_setting_are_omitted() -> None:
    table = add_setting(TABLE[["persons"]].head(1).assign(persons=1), EvaluationSetting("crops", "test", "results", None))
    assert describe_evaluation_setting(table) == "1 person of test; protocol crops (persons with a crop); external results"
    both = add_setting(TABLE.assign(flip_test=[True, False]), EvaluationSetting("crops", "val", "ground_truth", True))
    assert describe_evaluation_setting(both).endswith("ground-truth crops")


@pytest.mark.parametrize("table", [TABLE, add_setting(TABLE[:0], EvaluationSetting("crops", "val", "ground_truth", False))])
def test_table_without_setting_or_rows_has_no_description(table) -> None:
    assert describe_evaluation_setting(table) == ""
    assert add_setting_to_caption("As they are.", table) == "As they are."


def test_setting_moves_from_columns_to_the_caption() -> None:
    table = add_setting(TABLE.assign(flip_test=[True, False]), EvaluationSetting("crops", "val", "ground_truth", True))
    assert add_setting_to_caption("Two rows.", table).startswith(
        "Two rows. 1,213 persons of val, 4 without prediction; protocol crops"
    )
    assert list(drop_setting_columns(table).columns) == ["persons", "not_found", "oks", "flip_test"]
