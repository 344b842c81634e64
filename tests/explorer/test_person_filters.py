"""Filters: ranges, labels, file names, and malformed values."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import OptionsError
from posescope.explorer.person_columns import CategoryColumn, Column, RangeColumn
from posescope.explorer.person_filters import PersonFilters, parse_filters, passing_persons

FILES = pd.Series(["a.jpg", "B.jpg", "ab.png", "c+.png"])
COLUMNS: dict[str, Column] = {
    "error": RangeColumn("error", "Error", "%", np.array([0.0, 2.0, 10.0, np.nan])),
    "slices": CategoryColumn("slices", "Group", ("s", "t"), ("S", "T"), np.array([[1, 0], [1, 1], [0, 0], [0, 1]], dtype=bool)),
}


def passing(**fields: object) -> list[int]:
    filters = PersonFilters.model_validate(fields)
    return np.flatnonzero(passing_persons(filters, COLUMNS, FILES)).tolist()


def test_all_persons_pass_without_filters() -> None:
    assert passing() == [0, 1, 2, 3]


def test_range_is_closed_and_open_for_unknown_values_at_its_limits() -> None:
    assert passing(ranges={"error": (0, 10)}) == [0, 1, 2, 3]
    assert passing(ranges={"error": (2, 10)}) == [1, 2]
    assert passing(ranges={"error": (0, 2)}) == [0, 1]
    assert passing(ranges={"error": (5, 1)}) == []


def test_persons_with_at_least_one_label_pass() -> None:
    assert passing(labels={"slices": ("s",)}) == [0, 1]
    assert passing(labels={"slices": ("s", "t")}) == [0, 1, 3]
    assert passing(labels={"slices": ()}) == [0, 1, 2, 3]
    assert passing(labels={"slices": ("unknown",)}) == []


def test_file_names_match_in_any_case_and_without_patterns() -> None:
    assert passing(file_name="A") == [0, 2]
    assert passing(file_name="b") == [1, 2]
    assert passing(file_name="+.") == [3]
    assert passing(file_name=".*") == []


def test_conditions_are_joined() -> None:
    assert passing(ranges={"error": (0, 2)}, labels={"slices": ("t",)}) == [1]


def test_values_of_a_page_are_sorted_by_the_kind_of_their_column() -> None:
    filters = parse_filters(["error", "slices"], [[0, 2], ["t"]], None, COLUMNS)
    assert filters == PersonFilters(ranges={"error": (0, 2)}, labels={"slices": ("t",)})
    assert parse_filters(["error"], [None], "x", COLUMNS) == PersonFilters(file_name="x")


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [("nothing", [0, 1], ""), ("error", [0], ""),
     ("error", ["a", "b"], ""), ("error", [0, float("nan")], ""), ("slices", "s", ""),
     ("slices", [1], ""), ("error", {"a": 1}, ""), ("error", [0, 1], 5), ("error", [0, 1], "x" * 501)],
)  # fmt: skip
def test_malformed_values_are_refused(column: str, value: object, name: object) -> None:
    with pytest.raises(OptionsError, match="Filter"):
        parse_filters([column], [value], name, COLUMNS)
