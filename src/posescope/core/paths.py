"""Paths as users name them: on the command line, in parameters and in configuration files.

A path means the same place to every library that opens it, or it is refused. fsspec expands `~` and drops `file:`, pandas opens
addresses, Python's `open` does none of it: a run that was given such a path would write to two places.
"""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["LocalFile", "LocalPath", "expand_home", "find_path_error"]

_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_PREFIX = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_DRIVE = re.compile(r"^[A-Za-z]:([\\/]|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def expand_home(text: str) -> str:
    """Return the path with a leading `~` or `~user` replaced by that home folder; the text itself where there is none."""
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:  # there is no such user
        return text


def find_path_error(text: str, windows: bool = os.name == "nt") -> str | None:
    """Say why a path cannot be used; None where it can.

    Args:
        text: the path. Blanks inside, `#`, `%`, `=`, quotes, brackets, `*` and letters of any language are fine.
        windows: whether the path is for Windows, where a drive letter is part of a path.
    """
    if not text.strip():
        return "expected a path, found nothing"
    if _ADDRESS.match(text):
        return f"only folders and files of this machine are supported, found the address {text!r}; copy the data here first"
    if _DRIVE.match(text):
        return None if windows else f"{text!r} is a path of Windows; this system has no drive letters"
    if _PREFIX.match(text):
        return f"{text!r} may be read as an address; for a path of that name write {'./' + text!r}"
    if "${" in text:
        return f"{text!r} has an interpolation, which is not resolved here; write the path itself"
    if _CONTROL.search(text):
        return f"{text!r} has a control character"
    if expand_home(text).startswith("~"):
        return f"{text!r} begins with ~, and there is no such user; for a path of that name write {'./' + text!r}"
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


# Fields of options. A `Path` has lost the second slash of an address (s3:/bucket): the prefix betrays it.
LocalPath = Annotated[str, AfterValidator(_checked)]
LocalFile = Annotated[Path, AfterValidator(_checked_file)]
