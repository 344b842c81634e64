"""Tests of posescope.core.growing_columns."""

import numpy as np

from posescope.core.growing_columns import GrowingColumns


def test_pieces_are_joined_in_order():
    rng = np.random.default_rng(0)
    pieces = [{"a": rng.uniform(size=(count, 2)), "b": rng.integers(0, 9, count)} for count in (3, 0, 50, 1, 7)]
    columns = GrowingColumns(a=np.empty((0, 2)), b=np.empty(0, dtype=np.uint8))
    for piece in pieces:
        columns.append(piece)
    found = columns.finish()
    assert columns.names == ()
    np.testing.assert_array_equal(found["a"], np.concatenate([piece["a"] for piece in pieces]))
    np.testing.assert_array_equal(found["b"], np.concatenate([piece["b"] for piece in pieces]))
    assert (found["a"].dtype, found["b"].dtype) == (np.float64, np.uint8)


def test_columns_without_rows_keep_their_shape():
    found = GrowingColumns(a=np.empty((0, 3, 2), dtype=np.float32)).finish()
    assert (found["a"].shape, found["a"].dtype) == ((0, 3, 2), np.float32)
