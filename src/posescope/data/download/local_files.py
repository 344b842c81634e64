"""Local files of a download: free space, folders, records and a progress bar that counts bytes."""

import errno
import logging
import shutil
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from posescope.core.errors import DataError

__all__ = [
    "DiskSpaceError", "check_free_space", "format_bytes", "free_bytes", "make_folder", "progress_bar", "read_record",
    "write_error",
]  # fmt: skip

_QUIET_S = 30.0  # between two lines of a progress bar that is written to a file
_Record = TypeVar("_Record")

logger = logging.getLogger(__name__)


class DiskSpaceError(DataError):
    """The files do not fit on the disk."""


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that holds `folder`, which need not exist yet."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    return shutil.disk_usage(existing).free


def check_free_space(folder: Path, needed_bytes: int, min_free_bytes: int) -> None:
    """Check the free space of a disk.

    Args:
        folder: where the files are written.
        needed_bytes: size of the files.
        min_free_bytes: bytes that must stay free.

    Raises:
        DiskSpaceError: if they cannot.
    """
    free = free_bytes(folder)
    if needed_bytes + min_free_bytes > free:
        raise DiskSpaceError(
            f"{folder}: {format_bytes(needed_bytes)} are needed and {format_bytes(min_free_bytes)} must stay free "
            f"(download.min_free_bytes), but only {format_bytes(free)} are free. Free some space, or choose a folder on a larger "
            "disk: --params raw_dir=FOLDER"
        )


def make_folder(folder: Path) -> None:
    """Create a folder and its parents if they do not exist.

    Raises:
        DataError: if the folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def write_error(path: Path, error: OSError) -> DataError:
    """Return the named error for a file that could not be written.

    Args:
        path: path of the file.
        error: error of the operating system.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskSpaceError(f"{path}: the disk is full ({error}). Free some space and run the same command again.")
    return DataError(f"{path}: cannot be written ({error}).")


def format_bytes(count: int) -> str:
    """Return a number of bytes with a decimal unit: 815,585,330 -> '815.6 MB'."""
    if count < 1000:
        return f"{count} bytes"
    unit, size = next(((unit, size) for unit, size in (("GB", 1e9), ("MB", 1e6)) if count >= size), ("kB", 1e3))
    return f"{count / size:.1f} {unit}"


def progress_bar(label: str, total: int | None, done: int = 0) -> "tqdm[Any]":
    """Return a progress bar with bytes, rate and remaining time.

    Args:
        label: text before the bar.
        total: number of bytes in all; None if unknown.
        done: number of bytes that exist already.
    """
    interval_s = 0.1 if sys.stderr.isatty() else _QUIET_S
    return tqdm(desc=label, total=total, initial=done, unit="B", unit_scale=True, mininterval=interval_s, leave=False)


def read_record(path: Path, adapter: TypeAdapter[_Record], consequence: str) -> _Record | None:
    """Read a JSON file that an earlier run wrote and that may have been changed since.

    Args:
        path: path of the file.
        adapter: validates the content.
        consequence: for the log: what happens if the content is invalid.

    Returns:
        The record; None if the file is missing or invalid. An invalid one is logged.
    """
    if not path.is_file():
        return None
    try:
        return adapter.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(key) for key in first["loc"])
        logger.warning("%s: invalid record (%s%s); %s", path, f"{field}: " if field else "", first["msg"], consequence)
        return None
