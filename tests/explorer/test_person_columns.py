"""Columns of the explorer table: what is offered, bins and counts."""

import numpy as np
from tests.explorer.hand_made_table import table_of

from posescope.explorer.person_columns import CategoryColumn, RangeColumn, columns_of


def test_columns_of_a_table_with_their_words() -> None:
    table = table_of(4)
    columns = columns_of(table.columns, table.about)
    assert list(columns) == [
        "error", "radius", "cluster", "slices", "split", "role", "source_split", "oks", "component_1", "attribute_size",
    ]  # fmt: skip
    assert columns["component_1"].title == "component 1: small ↔ large"
    error, cluster, slices = columns["error"], columns["cluster"], columns["slices"]
    assert isinstance(error, RangeColumn)
    assert isinstance(cluster, CategoryColumn)
    assert isinstance(slices, CategoryColumn)
    assert error.unit == "% of the crop"
    assert error.bins.tolist() == [0, -1, 0, 0]
    assert (cluster.labels, cluster.names, cluster.bins.tolist()) == (("2",), ("group 2 (large)",), [0, -1, -1, -1])
    assert slices.count(np.array([True, True, False, False])).tolist() == [1]


def test_columns_without_values_are_left_out() -> None:
    table = table_of(3, slices=(), clusters=())
    frame = table.columns.assign(radius=np.float32("nan"))
    assert not {"radius", "cluster", "slices"} & set(columns_of(frame, table.about))


def test_counts_of_a_range_by_hand() -> None:
    column = RangeColumn("a", "A", "", np.array([0.0, 0.5, 1.0, np.nan, 1.0]))
    counts = column.count(np.array([True, True, True, True, False]))
    assert counts.sum() == 3
    assert (counts[0], counts[12], counts[23]) == (1, 1, 1)
    assert column.limits == (0.0, 1.0)


def test_range_without_values_has_limits() -> None:
    column = RangeColumn("a", "A", "", np.array([np.nan]))
    assert column.limits == (0.0, 1.0)
    assert column.count(np.array([True])).sum() == 0
