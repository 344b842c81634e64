"""The file systems of fsspec behind addresses (`s3://bucket/folder`): their options, and what differs between them."""

import json
import os
import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from posescope.core.errors import OptionsError
from posescope.core.paths import STORAGE_OPTIONS_VARIABLE, writer_number

__all__ = [
    "clean_address", "is_plain_name", "open_file_system", "protocol_of", "storage_options", "temporary_beside", "unusable_names",
    "version_of", "writing_whole",
]  # fmt: skip

_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_PACKAGES = {
    "s3": "'posescope[storage]'",
    "s3a": "'posescope[storage]'",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}
_S3 = {"s3", "s3a"}
_WITH_BUCKET = _S3 | {"gs", "gcs", "abfs", "az"}
# s3fs holds this many parts of 50 MB in memory for each transfer of a large file.
_PARTS_IN_FLIGHT = 4
_CONNECTIONS = 64


def protocol_of(address: str) -> str:
    """Return the protocol of an address.

    Raises:
        OptionsError: if the text is no address.
    """
    match = _ADDRESS.match(address)
    if match is None:
        raise OptionsError(f"{address!r}: expected the address of a storage (such as s3://bucket/folder), found none.")
    return match[1].lower()


def clean_address(address: str) -> str:
    """Return an address with its protocol in lower case and without a final slash.

    Raises:
        OptionsError: if the text is no address, or has a segment that names no object or no folder of a local copy.

    Example:
        >>> clean_address("S3://bucket/run/")
        's3://bucket/run'
    """
    protocol = protocol_of(address)
    rest = address[len(protocol) + 3 :].rstrip("/")
    parts = (rest if protocol in _WITH_BUCKET else rest.lstrip("/")).split("/")
    if rest and {"", ".", ".."} & set(parts):
        raise OptionsError(f"{address}: expected no empty segments and no segments '.' and '..'. Write the whole path.")
    if protocol in _S3 and "?" in rest:
        raise OptionsError(f"{address}: expected no '?' and nothing after it. Versions of objects cannot be chosen.")
    return f"{protocol}://{rest}"


def is_plain_name(name: str) -> bool:
    """Return whether a name can be that of a file below a folder; with `..` it could be any file of the user."""
    parts = name.split("/")
    return not {"", ".", ".."} & set(parts) and not (os.name == "nt" and any("\\" in part or ":" in part for part in parts))


def unusable_names(names: Collection[str]) -> set[str]:
    """Return those names of objects that cannot be files of one local folder: not plain, or a folder of another name.

    Example:
        >>> sorted(unusable_names(["a", "a/b", "c/../d", "e"]))
        ['a', 'c/../d']
    """
    folders = {name[:end] for name in names for end, letter in enumerate(name) if letter == "/"}
    return {name for name in names if name in folders or not is_plain_name(name)}


def storage_options(protocol: str) -> dict[str, Any]:
    """Return the options of a protocol's file system that the environment variable states; {} without it.

    Raises:
        OptionsError: if the environment variable is not a JSON object of objects.
    """
    text = os.environ.get(STORAGE_OPTIONS_VARIABLE, "")
    try:
        options = json.loads(text) if text else {}
        return dict(options.get(protocol, {}))
    except (ValueError, TypeError, AttributeError):
        # The text may hold a secret: neither the message nor a cause repeats it.
        raise OptionsError(
            f"{STORAGE_OPTIONS_VARIABLE}: expected JSON of the form {{protocol: {{option: value}}}}, found something else. "
            "Unset it, and write the options to conf/local/credentials.yml."
        ) from None


def open_file_system(address: str, is_single: bool = False) -> Any:
    """Return the file system of an address; one object per process serves all threads.

    Args:
        address: The address.
        is_single: Without retries within the library (S3), so that each call is one request.

    Raises:
        OptionsError: if the protocol is unknown, its package is missing or an option is wrong.
    """
    protocol = protocol_of(address)
    # A forked process must not use its parent's connections and event loop: each process has its own entry.
    return _open(protocol, json.dumps(storage_options(protocol), sort_keys=True), is_single, os.getpid())


@lru_cache(maxsize=16)
def _open(protocol: str, options_json: str, is_single: bool, _process: int) -> Any:
    options = {"use_listings_cache": False, **json.loads(options_json)}
    if protocol in _S3:
        options = _s3_options(options, is_single)
    try:
        file_system = fsspec.filesystem(protocol, **options)
    except ImportError as error:
        package = _PACKAGES.get(protocol)
        remedy = f"Install it: pip install {package}" if package else "Install the package that fsspec names"
        raise OptionsError(f"{protocol}://: the package of this storage is missing ({error}). {remedy}.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise OptionsError(
            f"{protocol}://: expected a protocol and options that fsspec knows, found {error}. See conf/local/credentials.yml."
        ) from error
    if protocol in _S3:
        file_system.retries = 1  # of s3fs, on top of those of botocore and of `Retries`
    return file_system


def _s3_options(options: dict[str, Any], is_single: bool) -> dict[str, Any]:
    # A part of a large upload is repeated once by itself: with many parts, repeating the whole upload would not end.
    config: dict[str, Any] = {"max_pool_connections": _CONNECTIONS, **options.get("config_kwargs", {})}
    config["retries"] = {"mode": "standard", "total_max_attempts": 1 if is_single else 2}
    return {"max_concurrency": _PARTS_IN_FLIGHT, **options, "config_kwargs": config}


def temporary_beside(path: Path) -> Path:
    """Return a name for the incomplete file that will be renamed to `path`, of this thread, process and machine."""
    return path.with_name(f".{path.stem}.{threading.get_ident()}.{writer_number()}.tmp{path.suffix}")


@contextmanager
def writing_whole(file_system: Any, path: str, is_new: bool = False) -> Iterator[str]:
    """Yield the path to write, so that `path` appears whole at the end of the block or not at all.

    Object stores show an object when its last byte has arrived: the path itself is written. On a local disk a temporary file is
    written, and renamed.

    Args:
        file_system: A file system of fsspec.
        path: The file.
        is_new: Raise FileExistsError if there is a file of that name.
    """
    if not isinstance(file_system, LocalFileSystem):
        yield path
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(target)
    try:
        yield str(temporary)
        if is_new:
            target.hardlink_to(temporary)
        else:
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def version_of(info: dict[str, Any]) -> str:
    """Return a text that changes with the content of an object.

    Args:
        info: What the file system states of the object: its ETag (S3), generation (Google), or the time of its last change.
    """
    for key in ("ETag", "etag", "generation", "md5Hash"):
        if info.get(key):
            return str(info[key]).strip('"')
    changed = next((info[key] for key in ("mtime", "LastModified", "last_modified", "created") if info.get(key)), "")
    # A file system may state one moment as a number in listings and as a date elsewhere.
    return f"{info.get('size')}-{changed.timestamp() if isinstance(changed, datetime) else changed}"
