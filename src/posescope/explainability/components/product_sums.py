"""Sums of products of centred features, on this machine or on a cluster: the covariance and the Gram matrix.

    covariance (D, D)   products over persons    blocks of rows       N >= D
    Gram matrix (N, N)  products over features   blocks of columns    N <  D

Blocks are summed in groups of a fixed number, and the groups are added in order. A worker of a cluster sums one group, so the
order of the sums, and with it every bit, is the same with any number of workers. A worker uses as many threads as this process.

Features in a file are sent as a place in it. If the file belongs to the mirror of an object store, the worker compares its copy
with the checksum of the features, and fetches the object if there is none or another one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.core.compute import current_cluster
from posescope.core.errors import DataError
from posescope.core.hardware import count_blas_threads, limit_blas_threads
from posescope.core.mirrors import fetch, place_of, remote_of
from posescope.explainability.components.covariance import CovarianceSum
from posescope.explainability.features.row_blocks import row_slices

__all__ = ["sum_covariance", "sum_gram"]

# 16 blocks of 32 MB, of which a worker returns one matrix: at D = 4,096 about 0.5 T operations for 134 MB.
_BLOCKS_PER_GROUP = 16

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class _Piece:
    """Rows and columns of features (N, D): a part of a file, or the values themselves.

    Attributes:
        place: rows and columns.
        path: file of the whole array; None: `values` holds this part.
        offset: place of the whole array in the file, bytes.
        shape: (N, D).
        dtype: of the file.
        values: the part.
        checksum: XXH3-128 of the whole array if the file belongs to the mirror of an object store, else empty.
    """

    place: tuple[slice, slice]
    path: Path | None = None
    offset: int = 0
    shape: tuple[int, int] = (0, 0)
    dtype: str = ""
    values: NDArray[np.floating] | None = None
    checksum: str = ""

    def read(self) -> NDArray[np.floating]:
        """Return the values, of a file as a memory map.

        Raises:
            DataError: if an object store has other features than those that were sent.
        """
        if self.values is not None or self.path is None:
            return self.values if self.values is not None else np.empty((0, 0), dtype=np.float64)
        whole = (_map_stored if self.checksum else _map)(self.path, self.offset, self.shape, self.dtype, self.checksum)
        part: NDArray[np.floating] = whole[self.place]
        return part


def sum_covariance(values: NDArray[np.floating], mean: NDArray[np.float64], device: torch.device | None = None) -> CovarianceSum:
    """Return the sums of the covariance of all rows.

    Args:
        values: (N, D) features.
        mean: (D,) their mean.
        device: device of the products, a GPU of this machine; None: NumPy, here or on the current cluster.
    """
    count, width = values.shape
    if device is not None:
        total = CovarianceSum(mean, device)
        for rows in tqdm(list(row_slices(count, width)), desc="covariance", leave=False):
            total.add(values[rows])
        return total
    groups = [(rows, slice(0, width)) for rows in _groups(count, width)]
    sums = _over_groups(_sum_rows, values, groups, mean, "covariance")
    total = next(sums, CovarianceSum(mean))
    for part in sums:
        total.merge(part)
    return total


def sum_gram(values: NDArray[np.floating], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (N, N) products of the centred rows of features (N, D) with the mean (D,)."""
    count, width = values.shape
    groups = [(slice(0, count), columns) for columns in _groups(width, count)]
    sums = _over_groups(_sum_columns, values, groups, mean, "Gram matrix")
    gram = next(sums, np.zeros((count, count)))
    for part in sums:
        gram += part
    return gram


def _sum_rows(piece: _Piece, mean: NDArray[np.float64], threads: int) -> CovarianceSum:
    values, total = piece.read(), CovarianceSum(mean)
    with limit_blas_threads(threads):
        for rows in row_slices(*values.shape):
            total.add(values[rows])
    return total


def _sum_columns(piece: _Piece, mean: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
    values, origin = piece.read(), mean[piece.place[1]]
    gram = np.zeros((len(values), len(values)))
    with limit_blas_threads(threads):
        for columns in row_slices(values.shape[1], len(values)):
            centred = values[:, columns].astype(np.float64) - origin[columns]
            gram += centred @ centred.T
    return gram


def _groups(length: int, width: int) -> Iterator[slice]:
    """Yield the slices of whole groups of `row_slices`."""
    starts = [rows.start for rows in row_slices(length, width)][::_BLOCKS_PER_GROUP]
    return (slice(start, stop) for start, stop in pairwise([*starts, length]))


def _over_groups(
    function: Callable[[_Piece, NDArray[np.float64], int], ResultT],
    values: NDArray[np.floating],
    groups: list[tuple[slice, slice]],
    mean: NDArray[np.float64],
    label: str,
) -> Iterator[ResultT]:
    """Yield the result of each group in order; on this machine one after the other, so that one matrix is held at a time."""
    threads = count_blas_threads()
    cluster = current_cluster()
    found: Iterable[ResultT]
    if cluster is None or len(groups) < 2:
        found = (function(_Piece(place, values=values[place]), mean, threads) for place in groups)
    else:
        checksum = _checksum_if_stored(values)
        found = cluster.map(function, (_piece_of(values, place, checksum) for place in groups), shared=(mean, threads))
    return iter(tqdm(found, desc=label, total=len(groups), leave=False))


def _piece_of(values: NDArray[np.floating], place: tuple[slice, slice], checksum: str) -> _Piece:
    """Return a part of features for another process: as a part of the file that they are a memory map of, if they are one."""
    root = _file_map_of(values)
    if root is None or root.filename is None:
        return _Piece(place, values=np.array(values[place]))
    offset = root.offset + values.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    count, width = values.shape
    return _Piece(place, Path(root.filename), offset, (count, width), values.dtype.str, checksum=checksum)


def _file_map_of(values: NDArray[np.floating]) -> "np.memmap[Any, Any] | None":
    """Return the memory map of a file that contiguous values are a part of; None if there is none."""
    root: object = values
    while isinstance(root, np.memmap) and isinstance(root.base, np.memmap):
        root = root.base
    is_map = isinstance(values, np.memmap) and isinstance(root, np.memmap) and root.filename is not None
    return root if is_map and isinstance(root, np.memmap) and values.flags.c_contiguous else None


def _checksum_if_stored(values: NDArray[np.floating]) -> str:
    """Return the checksum of values that are a part of a file in the mirror of an object store, else an empty text."""
    root = _file_map_of(values)
    is_stored = root is not None and root.filename is not None and remote_of(Path(root.filename)) is not None
    return _checksum_of(values) if is_stored else ""


def _checksum_of(values: NDArray[np.floating]) -> str:
    return xxhash.xxh3_128_hexdigest(values.reshape(-1).view(np.uint8).data)


def _map(path: Path, offset: int, shape: tuple[int, int], dtype: str, _: str = "") -> NDArray[np.floating]:
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)


@lru_cache(maxsize=1)  # the map of a checked file stays that file, whatever takes its place
def _map_stored(path: Path, offset: int, shape: tuple[int, int], dtype: str, checksum: str) -> NDArray[np.floating]:
    """Return features in the mirror of an object store, fetched if this machine has none or other ones."""
    for refresh in (lambda _: None, fetch):
        refresh(path)
        with suppress(FileNotFoundError, ValueError):  # no file, or one that is too short
            values = _map(path, offset, shape, dtype)
            if _checksum_of(values) == checksum:
                return values
    raise DataError(
        f"{place_of(path)}: expected features with the checksum {checksum}, found none or other ones: another run has replaced "
        "them. Run the same command again."
    )
