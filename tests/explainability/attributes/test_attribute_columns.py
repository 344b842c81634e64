import numpy as np
import pandas as pd
import pytest

from posescope.explainability.attributes.attribute_columns import columns_of, stack_columns

PERSONS = 100
GROUPS = np.arange(PERSONS)


def table(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_attribute_with_gaps_becomes_a_value_and_an_unknown_column() -> None:
    values = np.where(GROUPS < 40, np.nan, np.where(GROUPS < 70, 1.0, 3.0))  # 40 unknown, mean of the others 2
    columns, left_out = columns_of(table(knee_angle=values), GROUPS)
    value, unknown = columns
    assert ((value.of_unknown, unknown.of_unknown), left_out) == ((False, True), {})
    x = stack_columns(columns, table(knee_angle=values))
    assert x[:, 0][[0, 40, 70]] == pytest.approx(np.array([0, -1, 1]) / np.sqrt(0.6))
    assert x.mean(axis=0) == pytest.approx([0, 0])
    assert x.std(axis=0) == pytest.approx([1, 1])
    assert x[:, 0] @ x[:, 1] == pytest.approx(0)
    assert (value.words(is_high=True), value.words(is_high=False)) == ("stretched knees", "bent knees")
    assert unknown.words(is_high=True) == "knees or ankles not labelled"


def test_other_persons_are_scaled_and_clipped_like_the_first() -> None:
    (value,), _ = columns_of(table(tail=np.linspace(0, 1, PERSONS)), GROUPS)
    found = value.read(table(tail=[0.5, 1000.0, np.nan]))
    assert found == pytest.approx([0, (value.high - 0.5) / value.deviation, 0])
    assert value.high < 1
    assert value.words(is_high=False) == "low tail"


def test_rare_binary_attribute_is_not_clipped_away() -> None:
    rare = np.where(np.arange(1000) < 2, 1.0, 0.0)
    (value,), _ = columns_of(table(rare=rare), np.arange(1000))
    assert value.read(table(rare=[1.0]))[0] > 20


def test_attributes_without_columns_have_a_reason() -> None:
    few = np.where(GROUPS < 19, 1.0 * GROUPS, np.nan)
    columns, left_out = columns_of(table(few=few, constant=3.0 + 0 * GROUPS, unknown=np.nan + GROUPS, fine=1.0 * GROUPS), GROUPS)
    assert [column.attribute for column in columns] == ["fine"]
    assert left_out == {
        "few": "known for 19 persons in 19 images",
        "constant": "the same for all persons",
        "unknown": "known for 0 persons in 0 images",
    }
    one_photograph, _ = columns_of(table(fine=1.0 * GROUPS), np.zeros(PERSONS, dtype=np.int64))
    assert one_photograph == ()
    assert stack_columns((), table(fine=1.0 * GROUPS)).shape == (PERSONS, 0)
