"""Which of many rows: a sample of them, or all of them, block by block."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["centre_rows", "centred_blocks", "row_slices", "sample_rows"]

_BLOCK_NUMBERS = 4_000_000  # float64 numbers a block: 32 MB


def sample_rows(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """All rows 0..count-1, or, if there are more than `most`, that many of them drawn without replacement; ascending."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, size=most, replace=False)).astype(np.int64)


def row_slices(length: int, width: int) -> Iterator[slice]:
    """Slices of consecutive rows whose `width` numbers a row fit in a block of float64."""
    step = max(1, _BLOCK_NUMBERS // max(1, width))
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def centred_blocks(
    points: NDArray[np.floating], middle: NDArray[np.float64], dtype: type[np.floating]
) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """(N, P) points less (P,) `middle`, subtracted in float64 and rounded to `dtype`, block by block, with each block's rows."""
    return ((rows, (points[rows] - middle).astype(dtype, copy=False)) for rows in row_slices(*points.shape))


def centre_rows(points: NDArray[np.floating], middle: NDArray[np.float64], dtype: type[np.floating]) -> NDArray[np.floating]:
    """(N, P) points less (P,) `middle` in `dtype`, with no second copy of them on the way."""
    centred = np.empty(points.shape, dtype=dtype)
    for rows, block in centred_blocks(points, middle, dtype):
        centred[rows] = block
    return centred
