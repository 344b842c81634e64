"""Atomic writing of files and folders, JSON, checksums and fingerprints.

    write:  name.ext  <-(rename)-  .name.<host><pid>.tmp.ext

A rename within a folder is atomic on POSIX file systems: a reader sees the old file, the new one or none, never a part of one.
In a mirror of an object store (`core.remote_folder`) what was written is uploaded after the rename.
"""

import gzip
import hashlib
import json
import math
import os
import re
import shutil
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from posescope.core.errors import DataError
from posescope.core.mirrors import MARKER, publish
from posescope.core.paths import writer_number

if sys.platform != "win32":
    import fcntl

__all__ = [
    "MAX_JSON_BYTES", "atomic_folder", "atomic_write", "canonical_sha256", "fingerprint", "locked", "read_json",
    "read_checksummed_json", "refuse_repeated_keys", "remove_leftovers", "sha256_of", "write_json", "write_checksummed_json",
    "xxh3_of",
]  # fmt: skip

# The largest JSON file of COCO 2017 has 0.45 GB. A gzip file of 2 MB can expand to this size.
MAX_JSON_BYTES = 2 * 1024**3

_PIECE_BYTES = 4 * 1024**2
_CHECKSUM = "seal"
_TEMPORARY = re.compile(r"^\..+\.\d+\.tmp(\.[^.]+)?$")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` at the end of the block.

    Parent folders are created. If the block raises, the temporary file is removed and `path` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{writer_number()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    publish(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`, and replace `path` with it at the end of the block.

    An older folder of that name is moved aside as a whole when the new one is complete, and removed last: after a kill `path` is
    the old folder, the new one, or absent, never a part of one. If the block raises, the temporary folder is removed and `path`
    is unchanged. Temporary folders of `path` that killed processes left behind are removed first.
    """
    _remove_abandoned(path)
    temporary = path.with_name(f".{path.name}.{writer_number()}.tmp")
    replaced = path.with_name(f".{path.name}.old.{writer_number()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        with locked(temporary, wait=False):
            yield temporary
            if (path / MARKER).is_file():  # the folder is a mirror, and stays one
                shutil.copyfile(path / MARKER, temporary / MARKER)
            if path.exists():
                os.replace(path, replaced)
            os.replace(temporary, path)
            shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    publish(path)


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary folders of `path` whose process has ended; a running writer holds a lock on its folder."""
    if not path.parent.is_dir():
        return
    for folder in path.parent.iterdir():
        if folder.is_dir() and folder.name.startswith(f".{path.name}.") and _TEMPORARY.search(folder.name):
            with locked(folder, wait=False) as is_locked:
                if is_locked:
                    shutil.rmtree(folder)


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Lock a folder exclusively until the end of the block, or of the process. No file is left in it.

    Args:
        folder: The folder; created if needed.
        wait: Wait until other processes release it, for short read-modify-write operations.

    Yields:
        Whether the folder is locked. False on Windows; without `wait` also if another process has locked it, or the file system
        has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if wait:
                raise
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders that killed processes left in `folder`. No other process may be writing to it."""
    for path in folder.glob(".*.tmp*"):
        if _TEMPORARY.search(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_json(path: Path, content: Any, compact: bool = False) -> None:
    """Write JSON with sorted keys and a final newline, atomically.

    Args:
        path: The file.
        content: JSON-like content.
        compact: Write one line without indentation, which is ten times faster.

    Raises:
        ValueError: if a number is NaN or infinite, which JSON cannot represent; use null.
    """
    with atomic_write(path) as temporary:
        text = json.dumps(content, indent=None if compact else 2, sort_keys=True, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, *, strict: bool = True, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file (UTF-8, UTF-16 or UTF-32, with or without a byte order mark); `.gz` is decompressed.

    Args:
        path: The file.
        strict: Refuse NaN, infinite numbers and unpaired surrogates. False leaves them to a reader that checks each record.
        max_bytes: Maximum size of the decompressed file.

    Raises:
        DataError: if the file is missing, unreadable, too large or not valid JSON. Repeated keys in an object, integers with more
            digits than Python converts, and nesting beyond Python's recursion limit are invalid too.
    """
    try:
        raw = _read_bounded(path, max_bytes)
        text = raw.decode(json.detect_encoding(raw), "strict" if strict else "surrogatepass")
        content = json.loads(text, object_pairs_hook=refuse_repeated_keys, **(_FINITE if strict else {}))
        if strict and ("\\ud" in text or "\\uD" in text):
            _check_text(content)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except RecursionError as error:
        raise DataError(f"{path}: not a JSON file that can be read: nested too deeply. Write it again.") from error
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        # ValueError: invalid JSON or UTF-8, or an integer with too many digits.
        raise DataError(
            f"{path}: not a JSON file ({_shortened(error)}). It may be incomplete; download or write it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return content


def _read_bounded(path: Path, max_bytes: int) -> bytearray:
    zipped, raw = path.suffix == ".gz", bytearray()
    with gzip.open(path) if zipped else path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            raw += piece
            if len(raw) > max_bytes:
                size = "expands to more" if zipped else "has more"
                raise DataError(
                    f"{path}: {size} than {max_bytes:,} bytes, the limit for JSON files. Check the file, or split it."
                )
    return raw


def refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these keys and values, as an `object_pairs_hook` of `json`.

    Raises:
        ValueError: if a key is repeated; `json` would keep the last value silently.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        repeated = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {repeated!a} is repeated in one object")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits:.30} is too large")
    return value


_FINITE: Any = {"parse_constant": _refuse_constant, "parse_float": _finite_float}


def _check_text(content: Any) -> None:
    """Check that all text can be encoded: an unpaired surrogate is a valid JSON escape, but no character."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("text with an unpaired surrogate, which is no character") from error


def _shortened(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= 200 else f"{text[:200]} ..."


def write_checksummed_json(path: Path, content: dict[str, Any], compact: bool = False) -> None:
    """Write an object as JSON with one more field `seal`, the checksum of all other fields.

    Args:
        path: The file.
        content: JSON-like fields, without `seal`.
        compact: Write one line without indentation.
    """
    write_json(path, {**content, _CHECKSUM: _checksum_of(content)}, compact)


def read_checksummed_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a file of `write_checksummed_json`, the field `seal` included.

    Args:
        path: The file.
        remedy: A sentence for the error message: what to do if the file is damaged.

    Raises:
        DataError: if the file is missing, not a JSON object, or was changed since it was written.
    """
    try:
        content = read_json(path)
    except DataError as error:
        raise DataError(f"{error} {remedy}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, found {type(content).__name__}. {remedy}")
    if content.get(_CHECKSUM) != _checksum_of({name: value for name, value in content.items() if name != _CHECKSUM}):
        raise DataError(
            f"{path}: the field seal does not match the content. The file was changed, or is of an older version. {remedy}"
        )
    return content


def _checksum_of(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return xxhash.xxh3_128_hexdigest(text.encode())


def xxh3_of(path: Path) -> str:
    """Return the XXH3-128 checksum of a file, 32 hexadecimal digits. It is fast, and detects accidental changes only."""
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_sha256(content: Any) -> str:
    """Return the SHA-256 of JSON-like content, 64 hexadecimal digits, independent of the order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(content: Any) -> str:
    """Return the first 16 digits of `canonical_sha256`."""
    return canonical_sha256(content)[:16]
