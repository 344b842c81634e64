"""Writing files so that a reader never sees half of one, and fingerprints of what is in them.

    write:  name.ext  <-(rename)-  .name.<pid>.tmp.ext

A rename within one folder is atomic on POSIX file systems: after a crash there is the old file, or the new one, or none.
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

if sys.platform != "win32":
    import fcntl

__all__ = [
    "MAX_JSON_BYTES", "atomic_folder", "atomic_write", "canonical_sha256", "fingerprint", "locked", "read_json",
    "read_checksummed_json", "remove_leftovers", "sha256_of", "write_json", "write_checksummed_json", "xxh3_of",
]  # fmt: skip

# The largest JSON file of COCO 2017 has 0.45 GB; a gzip file of 2 MB can unpack to this size.
MAX_JSON_BYTES = 2 * 1024**3

_PIECE_BYTES = 4 * 1024**2
_SEAL = "seal"
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


def read_json(path: Path, *, strict: bool = True, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file; `.gz` is unpacked. The one reader of all JSON files.

    The encoding is UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Args:
        path: of the file.
        strict: refuse NaN, infinite numbers, and text with half a surrogate pair, which no file can hold. False leaves both to a
            reader that checks each record.
        max_bytes: largest size of the unpacked file.

    Raises:
        DataError: if there is no such file, it cannot be read, is larger, or is no JSON: also where a key is repeated within one
            object, a whole number has more digits than Python takes, or lists are nested deeper than Python can follow.
    """
    try:
        raw = _read_bounded(path, max_bytes)
        text = raw.decode(json.detect_encoding(raw), "strict" if strict else "surrogatepass")
        content = json.loads(text, object_pairs_hook=_without_repetition, **(_FINITE if strict else {}))
        if strict and ("\\ud" in text or "\\uD" in text):
            _check_text(content)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except RecursionError as error:
        raise DataError(f"{path}: not a JSON file that can be read: it is nested too deeply. Write it again.") from error
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        # ValueError: bad JSON, bad UTF-8, or a whole number of more digits than Python takes.
        raise DataError(f"{path}: not a JSON file ({_shortened(error)}). Is it complete? Fetch or write it again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return content


def _read_bounded(path: Path, max_bytes: int) -> bytearray:
    zipped, raw = path.suffix == ".gz", bytearray()
    with gzip.open(path) if zipped else path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            raw += piece
            if len(raw) > max_bytes:
                unpacked = "unpacks to more" if zipped else "has more"
                raise DataError(
                    f"{path}: {unpacked} than {max_bytes:,} bytes, the most that is read from a JSON file. Is this the right "
                    "file? If so, split it."
                )
    return raw


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        repeated = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {repeated!a} stands more than once in one object")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits:.30} is too large")
    return value


_FINITE: Any = {"parse_constant": _refuse_constant, "parse_float": _finite_float}


def _check_text(content: Any) -> None:
    """See that all text can be written to a file; half a surrogate pair, as an escape, is valid JSON and no character."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("text with half a surrogate pair, which is no character") from error


def _shortened(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= 200 else f"{text[:200]} ..."


def write_checksummed_json(path: Path, content: dict[str, Any], compact: bool = False) -> None:
    """Write an object as `write_json` does, with the field `seal`: a checksum of all its other fields."""
    write_json(path, {**content, _SEAL: _seal_of(content)}, compact)


def read_checksummed_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read what `write_checksummed_json` wrote, the field `seal` included.

    Args:
        path: of the file.
        remedy: a sentence that says what to do if the file is damaged.

    Raises:
        DataError: if it is missing, no JSON object, or changed since it was written.
    """
    try:
        content = read_json(path)
    except DataError as error:
        raise DataError(f"{error} {remedy}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, found {type(content).__name__}. {remedy}")
    if content.get(_SEAL) != _seal_of({name: value for name, value in content.items() if name != _SEAL}):
        raise DataError(f"{path}: changed since it was written, or of an older version: it does not fit its seal. {remedy}")
    return content


def _seal_of(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return xxhash.xxh3_128_hexdigest(text.encode())


def xxh3_of(path: Path) -> str:
    """XXH3-128 of a file's bytes as 32 hexadecimal digits, read in pieces. It finds accidents at the speed of the memory."""
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


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
