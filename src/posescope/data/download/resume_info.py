"""The small file beside a half-fetched one that says whose bytes it holds.

    train2017.zip.part        what has come so far
    train2017.zip.part.json   address, ETag, Last-Modified and size of the whole file

The first three are what a server is asked by, whether the file is still the same one.
"""

import logging
import re
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from posescope.core.files import write_json

__all__ = ["PartNote", "note_of", "note_of_answer", "read_note", "start_of_answer", "total_of_answer", "write_note", "read_kept"]


@dataclass(frozen=True)
class PartNote:
    """Whose bytes a part holds.

    Attributes:
        url: where they come from.
        etag: of the whole file, as the server gave it, or None.
        last_modified: of the whole file, as the server gave it, or None.
        size_bytes: of the whole file; None where the server did not say.
    """

    url: str
    etag: str | None
    last_modified: str | None
    size_bytes: int | None

    @property
    def validator(self) -> str | None:
        """What `If-Range` takes: a strong ETag, else the date; a weak ETag may stand for other bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    def differs(self, other: "PartNote") -> bool:
        """Whether the two are of different files, as far as both say something."""
        pairs = (
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
            (self.size_bytes, other.size_bytes),
        )
        return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs)


_NOTE = TypeAdapter(PartNote)


def note_of(part: Path) -> Path:
    """Where the note of a part lies."""
    return part.with_name(f"{part.name}.json")


def read_note(part: Path) -> PartNote | None:
    """The note of a part; None where there is none that can be read."""
    return read_kept(note_of(part), _NOTE, "it counts as none")


def write_note(part: Path, note: PartNote) -> None:
    """Write the note of a part."""
    write_json(note_of(part), asdict(note))


def note_of_answer(url: str, headers: Message) -> PartNote:
    """What the headers of an answer say of the file."""
    return PartNote(url, headers["ETag"], headers["Last-Modified"], total_of_answer(headers))


def total_of_answer(headers: Message) -> int | None:
    """Size of the whole file, bytes: behind the slash of Content-Range, else Content-Length; None if neither says it."""
    text = headers["Content-Range"]
    total = text.rpartition("/")[2] if text else headers["Content-Length"] or ""
    return int(total) if total.isdigit() else None


def start_of_answer(headers: Message) -> int | None:
    """Position of the first byte that comes, from Content-Range; None if it does not say it."""
    found = re.match(r"bytes (\d+)-", headers["Content-Range"] or "")
    return int(found[1]) if found else None


# MERGED from kept_json: Reading what an earlier run wrote beside the data. Anybody may have spoilt it since: then it
# counts as not there.

logger = logging.getLogger(__name__)

_Kept = TypeVar("_Kept")


def read_kept(path: Path, kind: TypeAdapter[_Kept], otherwise: str) -> _Kept | None:
    """Read a record or note from a JSON file.

    Args:
        path: of the file.
        kind: what it should hold.
        otherwise: for the log: what happens if it does not.

    Returns:
        None where there is no such file, or it holds something else; of the latter the log warns.
    """
    if not path.is_file():
        return None
    try:
        return kind.validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(key) for key in fault["loc"])
        logger.warning("%s: cannot be read (%s%s); %s", path, f"{place}: " if place else "", fault["msg"], otherwise)
        return None
