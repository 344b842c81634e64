"""What a table of figures is about, in one line."""

import pandas as pd
import pytest

from posescope.evaluation.metric_values import setting_of, with_setting
from posescope.reporting.setting_captions import say_setting, with_words, without_setting

TABLE = pd.DataFrame({"persons": [3, 1213], "not_found": [0, 4], "oks": [0.5, 0.25]})


def test_everything_is_told() -> None:
    table = with_setting(TABLE, setting_of("coco", "val", flip_test=True))
    assert say_setting(table) == (
        "1,213 persons of val, 4 not found; everybody annotated counts (coco); annotated boxes; with flip test"
    )


def test_nothing_is_said_of_what_nobody_knows() -> None:
    table = with_setting(TABLE[["persons"]].head(1).assign(persons=1), setting_of("crops", "test", True, results="theirs.json"))
    assert say_setting(table) == "1 person of test; who has a crop counts (crops); another system's results"
    both = with_setting(TABLE.assign(flip_test=[True, False]), setting_of("crops", "val", flip_test=True))
    assert say_setting(both).endswith("annotated boxes")


@pytest.mark.parametrize("table", [TABLE, with_setting(TABLE[:0], setting_of("crops", "val", flip_test=False))])
def test_a_table_without_setting_or_rows_says_nothing(table) -> None:
    assert say_setting(table) == ""
    assert with_words("As they are.", table) == "As they are."


def test_a_caption_tells_what_its_table_then_need_not_repeat() -> None:
    table = with_setting(TABLE.assign(flip_test=[True, False]), setting_of("crops", "val", flip_test=True))
    assert with_words("Two rows.", table).startswith("Two rows. 1,213 persons of val, 4 not found; who has a crop")
    assert list(without_setting(table).columns) == ["persons", "not_found", "oks", "flip_test"]
