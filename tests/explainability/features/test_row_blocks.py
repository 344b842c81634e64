import numpy as np
import pytest

from posescope.explainability.features import row_blocks
from posescope.explainability.features.row_blocks import batches_of_rows, centred_blocks, row_slices, sample_rows


def test_sample_is_ascending_without_duplicates() -> None:
    found = sample_rows(1000, 100, seed=1)
    assert len(set(found)) == 100
    assert found.tolist() == sorted(found)
    np.testing.assert_array_equal(found, sample_rows(1000, 100, seed=1))
    assert sample_rows(3, 100, seed=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("length", "width", "expected"), [(5, 4, [2, 2, 1]), (3, 100, [1, 1, 1]), (4, 0, [4]), (0, 3, [])])
def test_slices_have_at_most_a_block_and_at_least_one_row(length: int, width: int, expected: list[int], monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 8)
    slices = list(row_slices(length, width))
    assert [part.stop - part.start for part in slices] == expected
    assert [row for part in slices for row in range(length)[part]] == list(range(length))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_centred_in_float64(dtype: type, monkeypatch) -> None:
    points = (np.random.default_rng(0).normal(size=(50, 3)) + 1e4).astype(np.float32)
    centre = points.mean(axis=0, dtype=np.float64)
    whole = (points.astype(np.float64) - centre).astype(dtype)
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 20)
    found = np.concatenate([block for _, block in centred_blocks(points, centre, dtype)])
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, whole)


def test_batches_cover_all_rows_once() -> None:
    batches = batches_of_rows(np.arange(7), 3)
    assert [list(batch) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches_of_rows(np.arange(0), 3) == []
