"""Paths from users: on the command line, in parameters and in configuration files.

Libraries disagree about some strings: fsspec expands `~` and drops `file:`, pandas opens URLs, Python's `open` does neither. A
run with such a path would write to two places. So a path that is not the same file for every library is refused.
"""

import os
import re
import socket
import zlib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

__all__ = [
    "LEASES_VARIABLE", "STORAGE_OPTIONS_VARIABLE", "LocalFile", "LocalPath", "expand_home", "find_path_error", "is_address",
    "user_cache_dir", "writer_number",
]  # fmt: skip

# Options of the file systems of addresses as JSON, {protocol: options}. Credentials reach child processes in it, not on command
# lines.
STORAGE_OPTIONS_VARIABLE = "POSESCOPE_STORAGE_OPTIONS"
# Tokens of the leases that a run holds, {address: token}, for the processes that it starts (`core.remote_lease`).
LEASES_VARIABLE = "POSESCOPE_LEASES"

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_PREFIX = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_DRIVE = re.compile(r"^[A-Za-z]:([\\/]|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# Processes of two machines may have the same id and write the same file of a shared folder, such as a home folder on NFS.
_MACHINE = zlib.crc32(socket.gethostname().encode()) % 100_000


def expand_home(text: str) -> str:
    """Return the path with a leading `~` or `~user` replaced by that home folder; unchanged if there is no such user."""
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:  # no such user
        return text


def is_address(text: str) -> bool:
    """Return whether a text is the address of an object store or another file system, such as `s3://bucket/run`."""
    return _URL.match(text) is not None


def user_cache_dir(name: str) -> Path:
    """Return a cache folder of the user: `$XDG_CACHE_HOME/posescope/<name>`, by default in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posescope" / name


def writer_number() -> str:
    """Return digits of this machine and process, for the names of temporary files."""
    return f"{_MACHINE:05d}{os.getpid()}"


def find_path_error(text: str, windows: bool = os.name == "nt") -> str | None:
    """Return why a path cannot be used, None if it can.

    Args:
        text: The path. Spaces, `#`, `%`, `=`, quotes, brackets, `*` and letters of any language are valid.
        windows: Whether the path is for Windows, where a drive letter is part of a path.
    """
    if not text.strip():
        return "expected a path, found an empty string"
    if _URL.match(text):
        return f"expected a local path, found the URL {text!r}; copy the data to this machine first"
    if _DRIVE.match(text):
        return None if windows else f"{text!r} is a Windows path; this system has no drive letters"
    if _PREFIX.match(text):
        return f"{text!r} may be read as a URL; for a path of that name write {'./' + text!r}"
    if "${" in text:
        return f"{text!r} contains an interpolation, which is not resolved here; write the path itself"
    if _CONTROL.search(text):
        return f"{text!r} contains a control character"
    if expand_home(text).startswith("~"):
        return f"{text!r} begins with ~, but there is no such user; for a path of that name write {'./' + text!r}"
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{text!r} is not valid Unicode"
    return None


def _checked(text: str) -> str:
    fault = find_path_error(text)
    if fault is not None:
        raise ValueError(fault)
    return expand_home(text)


def _checked_file(path: Path) -> Path:
    return Path(_checked(str(path)))


# Field types of options. A `Path` has lost the second slash of a URL (s3:/bucket): `_PREFIX` matches it.
LocalPath = Annotated[str, AfterValidator(_checked)]
LocalFile = Annotated[Path, AfterValidator(_checked_file)]
