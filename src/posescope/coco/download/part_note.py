"""The small file beside a half-fetched one that says whose bytes it holds.

    train2017.zip.part        what has come so far
    train2017.zip.part.json   address, ETag, Last-Modified and size of the whole file

The first three are what a server is asked by, whether the file is still the same one.
"""

import re
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path

from pydantic import TypeAdapter

from posescope.coco.download.kept_json import read_kept
from posescope.files import write_json

__all__ = ["PartNote", "note_of", "note_of_answer", "read_note", "start_of_answer", "total_of_answer", "write_note"]


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
