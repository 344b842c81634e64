"""Filter cards: lengths of bars, steps of ranges, and labels."""

from typing import Any

import numpy as np
import pytest

from posescope.explorer.app.filter_cards import bars_of, filter_card, options_of
from posescope.explorer.person_columns import CategoryColumn, RangeColumn
from posescope.explorer.person_filters import PersonFilters

ERROR = RangeColumn("error", "Error", "%", np.array([0.0, 0.0, 10.0, np.nan]))
GROUP = CategoryColumn(
    "cluster", "Cluster", ("1", "2"), ("small", "large"), np.array([[1, 0], [0, 1], [0, 1], [0, 0]], dtype=bool)
)
ALL = np.ones(4, dtype=bool)


def test_bars_show_all_persons_and_those_that_pass() -> None:
    bins = bars_of(ERROR, np.array([True, False, True, True])).children
    assert len(bins) == 24
    assert [part.style["height"] for part in bins[0].children] == ["100.0%", "50.0%"]
    assert [part.style["height"] for part in bins[1].children] == ["0.0%", "0.0%"]
    assert bins[0].title == "1 of 2 persons"


def test_labels_have_counts() -> None:
    options = options_of(GROUP, np.array([True, True, False, True]))
    assert [option["value"] for option in options] == ["1", "2"]
    assert [option["label"].children[1].children for option in options] == ["1 of 1", "1 of 2"]


def control(column: Any, filters: PersonFilters, count: int = 4) -> Any:
    return filter_card(column, filters, np.ones(count, dtype=bool)).children[-1]


def test_range_covers_all_values_and_keeps_the_filter() -> None:
    slider = control(ERROR, PersonFilters())
    assert (slider.min, slider.max, slider.value, slider.step) == (0, 10, [0, 10], 0.05)
    assert control(ERROR, PersonFilters(ranges={"error": (2, 3)})).value == [2, 3]
    assert control(GROUP, PersonFilters(labels={"cluster": ("2",)})).value == ["2"]


@pytest.mark.parametrize(
    "values", [[5.0, 5.0], [52.581504821777344] * 2, [0.0, 0.0], [1e-8, 2e-8], [-3e6, 7e6], [-0.013, 0.0171]]
)
def test_limits_of_the_slider_contain_all_values(values: list[float]) -> None:
    slider = control(RangeColumn("a", "A", "", np.array(values)), PersonFilters(), 2)
    assert slider.min <= min(values)
    assert slider.max >= max(values)
    assert slider.step > 0
