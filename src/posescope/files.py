"""Writing files so that a reader never sees half of one, and fingerprints of what is in them.

    write:  name.ext  <-(rename)-  .name.<pid>.tmp.ext

A rename within one folder is atomic on POSIX file systems: after a crash there is the old file, or the new one, or none.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from posescope.errors import DataError

if sys.platform != "win32":
    import fcntl

__all__ = [
    "atomic_folder", "atomic_write", "canonical_sha256", "fingerprint", "locked", "read_json", "remove_leftovers", "sha256_of",
    "write_json",
]  # fmt: skip

_TEMPORARY = re.compile(r"^\..+\.\d+\.tmp(\.[^.]+)?$")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, rename it to `path`.

    Parent folders are made. When the block raises, the temporary file is removed and `path` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a fresh temporary folder beside `path`; when the block ends well, it takes the place of `path`.

    An older folder of that name is removed only after the new one is complete. When the block raises, the temporary
    folder is removed and `path` is left as it was. A temporary folder that a killed process left for the same `path` is removed
    first.
    """
    _remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        with _held(temporary):
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary folders of `path` whose process has ended: a living writer holds a lock on its own."""
    if sys.platform == "win32" or not path.parent.is_dir():
        return
    for folder in path.parent.iterdir():
        if folder.is_dir() and folder.name.startswith(f".{path.name}.") and _TEMPORARY.search(folder.name):
            with _held(folder) as is_held:
                if is_held:
                    shutil.rmtree(folder)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder alone without waiting for it; False if another process holds it, or the file system has no locks."""
    if sys.platform == "win32":
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder alone: others who want it wait until the block ends, or their holder's process, however it ends.

    For what is read, changed and written again in moments. The folder is made where it is missing; nothing is left in it. On
    Windows nothing is locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes left in `folder`; nobody else may be writing into it."""
    for path in folder.glob(".*.tmp*"):
        if _TEMPORARY.search(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_json(path: Path, content: Any, compact: bool = False) -> None:
    """Write `content` as JSON with sorted keys and a final newline, atomically; NaN is refused.

    Args:
        path: of the file.
        content: JSON-like.
        compact: all in one line, for what no person reads: indenting takes ten times as long.

    Raises:
        ValueError: if a number is NaN or infinite (JSON has no word for either: use null).
    """
    with atomic_write(path) as temporary:
        text = json.dumps(content, indent=None if compact else 2, sort_keys=True, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: if there is no such file, it cannot be read, or is not JSON; the message names the file and the place.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a JSON file ({error}).") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_sha256(content: Any) -> str:
    """SHA-256 (64 hexadecimal digits) of any JSON-like content; the order of keys does not matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(content: Any) -> str:
    """The first 16 digits of `canonical_sha256`."""
    return canonical_sha256(content)[:16]
