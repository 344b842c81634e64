import numpy as np
import pytest

from posescope.explainability.features import row_blocks as rows
from posescope.explainability.features.row_blocks import centre_rows, centred_blocks, row_slices, sample_rows


def test_a_sample_is_ascending_and_without_doubles() -> None:
    found = sample_rows(1000, 100, seed=1)
    assert len(set(found)) == 100
    assert found.tolist() == sorted(found)
    np.testing.assert_array_equal(found, sample_rows(1000, 100, seed=1))
    assert sample_rows(3, 100, seed=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("length", "width", "expected"), [(5, 4, [2, 2, 1]), (3, 100, [1, 1, 1]), (4, 0, [4]), (0, 3, [])])
def test_slices_hold_a_block_and_one_row_at_least(length: int, width: int, expected: list[int], monkeypatch) -> None:
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 8)
    slices = list(row_slices(length, width))
    assert [part.stop - part.start for part in slices] == expected
    assert [row for part in slices for row in range(length)[part]] == list(range(length))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_centred_in_float64(dtype: type, monkeypatch) -> None:
    points = (np.random.default_rng(0).normal(size=(50, 3)) + 1e4).astype(np.float32)
    middle = points.mean(axis=0, dtype=np.float64)
    whole = (points.astype(np.float64) - middle).astype(dtype)
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 20)
    found = centre_rows(points, middle, dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, whole)
    np.testing.assert_array_equal(np.concatenate([block for _, block in centred_blocks(points, middle, dtype)]), whole)
