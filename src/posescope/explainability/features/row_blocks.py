"""Selection of rows: random samples, batches, and blocks that fit in memory."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["batches_of_rows", "centred_blocks", "row_slices", "sample_rows"]

_BLOCK_NUMBERS = 4_000_000  # float64 numbers per block: 32 MB


def sample_rows(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """Draw row numbers without replacement.

    Args:
        count: number of rows.
        most: sample size. All rows are returned if there are no more than that.
        seed: random seed.

    Returns:
        (min(count, most),) row numbers in ascending order.
    """
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, size=most, replace=False)).astype(np.int64)


def batches_of_rows(rows: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Split rows into consecutive batches.

    Args:
        rows: (n,) row numbers.
        batch_size: maximum number of rows per batch.

    Examples:
        >>> [batch.tolist() for batch in batches_of_rows(np.arange(5), 2)]
        [[0, 1], [2, 3], [4]]
    """
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def row_slices(length: int, width: int) -> Iterator[slice]:
    """Yield consecutive slices of rows that fit in a block of float64 numbers each.

    Args:
        length: number of rows.
        width: numbers per row.
    """
    step = max(1, _BLOCK_NUMBERS // max(1, width))
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def centred_blocks(
    points: NDArray[np.floating], centre: NDArray[np.float64], dtype: type[np.floating]
) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """Yield centred points block by block.

    Args:
        points: (N, P).
        centre: (P,), subtracted in float64.
        dtype: dtype of the blocks.

    Returns:
        An iterator over (rows, block) with the block (n, P) of these rows.
    """
    return ((rows, (points[rows] - centre).astype(dtype, copy=False)) for rows in row_slices(*points.shape))
