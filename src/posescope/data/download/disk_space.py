"""Room on the disk, byte counts in words, and a progress bar that counts bytes."""

import errno
import shutil
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from posescope.core.errors import DataError

__all__ = ["DiskSpaceError", "progress_bar", "check_room", "free_bytes", "format_bytes", "make_folder", "write_fault"]

_QUIET_S = 30.0  # between two lines of a bar that goes into a file instead of onto a screen


class DiskSpaceError(DataError):
    """What is to be written does not fit on the disk."""


def free_bytes(folder: Path) -> int:
    """Bytes that are free where `folder` lies or will lie; it need not exist yet."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    return shutil.disk_usage(there).free


def check_room(folder: Path, needed_bytes: int, min_free_bytes: int) -> None:
    """See that `needed_bytes` can be written below `folder`, and `min_free_bytes` stay free.

    Raises:
        DiskSpaceError: if not.
    """
    free = free_bytes(folder)
    if needed_bytes + min_free_bytes > free:
        raise DiskSpaceError(
            f"{folder}: {format_bytes(needed_bytes)} are needed here and {format_bytes(min_free_bytes)} are to stay free "
            f"(download.min_free_bytes), but only {format_bytes(free)} are free. "
            "Make room, or name a folder on a larger disk: --params raw_dir=FOLDER"
        )


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, where it is not there.

    Raises:
        DataError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_fault(folder, error) from error


def write_fault(path: Path, error: OSError) -> DataError:
    """The named error for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskSpaceError(f"{path}: the disk is full ({error}). Make room and give the same command again.")
    return DataError(f"{path}: cannot be written ({error}).")


def format_bytes(count: int) -> str:
    """A number of bytes for people: 815,585,330 -> '815.6 MB'."""
    if count < 1000:
        return f"{count} bytes"
    unit, size = next(((unit, size) for unit, size in (("GB", 1e9), ("MB", 1e6)) if count >= size), ("kB", 1e3))
    return f"{count / size:.1f} {unit}"


def progress_bar(what: str, total: int | None, done: int = 0) -> "tqdm[Any]":
    """A bar with bytes, rate and time left. Args: total: bytes in all; done: of them, those that were there before."""
    pause = 0.1 if sys.stderr.isatty() else _QUIET_S
    return tqdm(desc=what, total=total, initial=done, unit="B", unit_scale=True, mininterval=pause, leave=False)
