"""Tests of posescope.core.keypoint_arrays."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.keypoint_arrays import values_by_joint


@pytest.fixture
def table():
    """Return three persons (2, 5, 9) with two joints each."""
    return pd.DataFrame(
        {
            "person_id": np.repeat([2, 5, 9], 2),
            "joint": np.tile(np.arange(2, dtype=np.uint8), 3),
            "x": np.arange(6, dtype=np.float32),
            "score": np.arange(6, dtype=np.float32) / 2,
        }
    )


def test_values_are_in_the_order_of_the_persons(table):
    found = values_by_joint(table, np.array([9, 2, 9]), ["x", "score"])
    assert found.tolist() == [[[4, 2], [5, 2.5]], [[0, 0], [1, 0.5]], [[4, 2], [5, 2.5]]]
    assert found.dtype == np.float64


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_has_no_effect(table, seed):
    shuffled = table.sample(frac=1, random_state=seed)
    for persons in (np.array([2, 5, 9]), np.array([5, 2])):
        expected = values_by_joint(table, persons, ["x"])
        np.testing.assert_array_equal(values_by_joint(shuffled, persons, ["x"]), expected)


def test_empty_table_has_no_joints(table):
    assert values_by_joint(table.iloc[:0], np.array([], dtype=np.int64), ["x"]).shape == (0, 0, 1)
    assert values_by_joint(table, np.array([], dtype=np.int64), ["x"]).shape == (0, 2, 1)


@pytest.mark.parametrize("persons", [[3], [2, 1], [2, 99, 5]])
def test_unknown_person_is_named(table, persons):
    with pytest.raises(DataError, match=str(set(persons).difference([2, 5]).pop())):
        values_by_joint(table, np.array(persons), ["x"])
    with pytest.raises(DataError):
        values_by_joint(table.iloc[:0], np.array(persons), ["x"])
