"""Read crops from shards on demand; each crop is compared with its checksum at its first read."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.mirrors import fetch, fetch_file, find_size, remote_of
from posescope.data.crops.shard_writer import ShardRecord, digest_bytes_of

__all__ = ["ShardReader"]

_REMEDY = "Run the pipeline data_engineering: it writes damaged shards again."
# Between the end of a download and the opening of the file, another process may remove it to bound the local copies.
_OPEN_ATTEMPTS = 20


@dataclass(frozen=True)
class _Layout:
    """Attributes: shape: (n, H, W, 3); offset: of the first crop in the file, bytes."""

    shape: tuple[int, int, int, int]
    offset: int

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:]))


class ShardReader:
    """Reads crops from any number of shards; threads may share a reader.

    The file is opened for each crop. A memory map would keep one open file per shard, and a shard truncated during reading would
    end the process without a message. Each crop is compared with its digest at its first read by this process. A local copy of an
    object that does not fit, such as that of an earlier run on the machine of a worker, is fetched anew once.

    Args:
        paths: paths of the `.npy` files.
        digests: per shard (n, 16) uint8, the XXH3-128 of each crop.
    """

    def __init__(self, paths: Sequence[Path], digests: Sequence[NDArray[np.uint8]]) -> None:
        self.paths, self.digests = tuple(paths), tuple(digests)
        self._checked = [np.zeros(len(rows), dtype=np.bool_) for rows in self.digests]
        self._layouts: dict[int, _Layout] = {}
        self._fetched_anew: set[int] = set()

    @classmethod
    def of_records(cls, folder: Path, records: Sequence[ShardRecord]) -> "ShardReader":
        """Return the reader of the shards of these records.

        Args:
            folder: folder of the `.npy` files.
            records: records of the shards.

        Raises:
            DataError: if a file is missing or has another size than was written.
        """
        paths = [folder / f"{record.name}.npy" for record in records]
        for path, record in zip(paths, records, strict=True):
            _check_size(path, record.size_bytes)
        rows = [np.frombuffer(bytes.fromhex("".join(record.row_digests)), dtype=np.uint8) for record in records]
        return cls(paths, [digests.reshape(-1, 16) for digests in rows])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the state of the checks; the other process checks the files itself."""
        return ShardReader, (self.paths, self.digests)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) px of the crops; (1, 1) without shards."""
        if not self.paths:
            return 1, 1
        size = self._layout_of(0).shape[1:3]
        if len(self.digests[0]) and not self._checked[0][0] and remote_of(self.paths[0]) is not None:
            # The local copy may be of an earlier run with another size: its first crop tells.
            try:
                self._read_checked(np.empty((*size, 3), dtype=np.uint8), 0, 0)
            except DataError:
                if not self._fetch_anew(0):
                    raise
        return self._layout_of(0).shape[1:3]

    def read_into(self, images: NDArray[np.uint8], locations: NDArray[np.int64]) -> None:
        """Read crops into an array.

        Args:
            images: (n, H, W, 3) uint8, receives the crops.
            locations: (n, 2) shard and row of each crop.

        Raises:
            DataError: if a shard cannot be read, or the checksum of a crop differs.
        """
        for image, (shard, row) in zip(images, locations.tolist(), strict=True):
            self._read_row(image, shard, row)

    def read_ahead(self, shards: Sequence[int]) -> None:
        """Ask the system to read whole shards into its page cache in the background, one after another.

        Args:
            shards: numbers of shards. Nothing happens on systems that cannot be asked.

        Raises:
            DataError: if a shard cannot be opened.
        """
        if not hasattr(os, "posix_fadvise"):
            return
        for shard in shards:
            try:
                with _open(self.paths[shard]) as stream:
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
            except OSError as error:
                raise _unreadable(self.paths[shard], error) from error

    def verify(self) -> None:
        """Read all crops, which are of one size.

        Raises:
            DataError: if a shard cannot be read, or the checksum of a crop differs.
        """
        image = np.empty((*self.crop_size, 3), dtype=np.uint8)
        for shard, digests in enumerate(self.digests):
            for row in range(len(digests)):
                self._read_row(image, shard, row)

    def _read_row(self, image: NDArray[np.uint8], shard: int, row: int) -> None:
        try:
            self._read_checked(image, shard, row)
        except DataError:
            if not self._fetch_anew(shard):
                raise
            self._read_checked(image, shard, row)

    def _fetch_anew(self, shard: int) -> bool:
        """Fetch a shard of an object store if its copy differs; return False if there is no store, or it was done before."""
        if shard in self._fetched_anew or remote_of(self.paths[shard]) is None:
            return False
        fetch(self.paths[shard], on_demand=())
        self._fetched_anew.add(shard)
        self._layouts.pop(shard, None)
        self._checked[shard][:] = False
        return True

    def _read_checked(self, image: NDArray[np.uint8], shard: int, row: int) -> None:
        path, layout = self.paths[shard], self._layout_of(shard)
        if not 0 <= row < layout.shape[0]:
            raise IndexError(f"{path}: row {row} of {layout.shape[0]}")
        if image.shape != layout.shape[1:]:
            raise DataError(f"{path}: expected crops of shape {image.shape}, found {layout.shape[1:]}. {_REMEDY}")
        try:
            with _open(path) as stream:
                stream.seek(layout.offset + row * layout.row_bytes)
                found = stream.readinto(image.data.cast("B"))
        except OSError as error:
            raise _unreadable(path, error) from error
        if found != layout.row_bytes:
            raise DataError(f"{path}: ends within crop {row}: it was truncated after its size was checked. {_REMEDY}")
        if not self._checked[shard][row]:
            if digest_bytes_of(image) != self.digests[shard][row].tobytes():
                raise DataError(f"{path}: crop {row} has changed since it was written: its checksum differs. {_REMEDY}")
            self._checked[shard][row] = True

    def _layout_of(self, shard: int) -> _Layout:
        found = self._layouts.get(shard)
        if found is None:
            path, count = self.paths[shard], len(self.digests[shard])
            try:
                found = _read_layout(path, count)
            except DataError:
                if not self._fetch_anew(shard):
                    raise
                found = _read_layout(path, count)
            self._layouts[shard] = found
        return found


def _open(path: Path) -> BufferedReader:
    """Open a shard; one of an object store is fetched if it is not on this machine, or was removed to bound the local copies."""
    for _ in range(_OPEN_ATTEMPTS):
        try:
            return path.open("rb")
        except FileNotFoundError:
            if remote_of(path) is None:
                raise
        with suppress(FileNotFoundError):  # another process has removed it again
            fetch_file(path)
    raise DataError(
        f"{path}: other processes have removed the local copy of the shard {_OPEN_ATTEMPTS} times before it was read: the limit "
        "of the local copies is too small for all processes. Increase storage.cache_gb to several shards per process."
    )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: the shard cannot be read ({error.strerror or error}). {_REMEDY}")


def _check_size(path: Path, expected_bytes: int) -> None:
    try:
        found = find_size(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if found != expected_bytes:
        raise DataError(f"{path}: expected a shard of {expected_bytes:,} bytes, found {found:,}. {_REMEDY}")


def _read_layout(path: Path, count: int) -> _Layout:
    with suppress(FileNotFoundError):  # another process has removed it again
        fetch_file(path)
    try:
        with _open(path) as stream:
            np.lib.format.read_magic(stream)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            offset = stream.tell()
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise DataError(f"{path}: not a NumPy file ({error}). {_REMEDY}") from error
    if dtype != np.uint8 or fortran or len(shape) != 4 or shape[0] != count or shape[3] != 3 or min(shape[1:]) < 1:
        raise DataError(f"{path}: expected {count} crops (n, H, W, 3) of uint8, found {shape} of {dtype}. {_REMEDY}")
    return _Layout((shape[0], shape[1], shape[2], shape[3]), offset)
