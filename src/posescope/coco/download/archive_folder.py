"""Where archives lie while they are fetched and unpacked, and the record of each one that is done.

    <raw_dir>/archives/
      train2017.zip.part        half fetched; beside it its note (part_note.py)
      train2017.zip             whole and checked, but not unpacked yet; or kept
      train2017.json            done: checksums of the archive, and every file that came out of it

The record is written last. It vouches only as long as every file of it lies there with its size: existence is not enough.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from posescope.coco.download.archives import ArchiveOptions
from posescope.coco.download.checksums import Checksums
from posescope.coco.download.disk import make_folder
from posescope.coco.download.part_note import note_of
from posescope.coco.download.unzip import Member
from posescope.errors import DataError
from posescope.files import read_json, write_json

if sys.platform != "win32":
    import fcntl

__all__ = ["ArchiveFolder", "FinishedArchive"]


@dataclass(frozen=True)
class FinishedArchive:
    """An archive that was fetched, checked and unpacked.

    Attributes:
        url: where it came from; None if it lay there already.
        pattern: which of its files were wanted.
        checksums: of the archive.
        members: the files that came out of it.
    """

    url: str | None
    pattern: str
    checksums: Checksums
    members: tuple[Member, ...]

    @property
    def unpacked_bytes(self) -> int:
        """What its files take."""
        return sum(member.size_bytes for member in self.members)

    def answers(self, archive: ArchiveOptions) -> bool:
        """Whether it is the archive that these options mean, and the same files of it."""
        faults = self.checksums.faults(archive.size_bytes, archive.sha256, archive.md5)
        return self.pattern == archive.members and not faults

    def to_dict(self) -> dict[str, Any]:
        """As JSON content."""
        members = {member.name: [member.size_bytes, member.crc32] for member in self.members}
        return {"url": self.url, "pattern": self.pattern, "checksums": asdict(self.checksums), "members": members}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "FinishedArchive":
        """From JSON content."""
        members = tuple(Member(name, int(size), int(crc)) for name, (size, crc) in content["members"].items())
        return cls(content["url"], content["pattern"], Checksums(**content["checksums"]), members)


@dataclass(frozen=True)
class ArchiveFolder:
    """Owns `archives/` below a data set's folder; `data_root` is the data set's folder."""

    data_root: Path

    @property
    def root(self) -> Path:
        """The folder that it owns."""
        return self.data_root / "archives"

    def archive(self, name: str) -> Path:
        """Where a whole archive lies."""
        return self.root / f"{name}.zip"

    def part(self, name: str) -> Path:
        """Where a half-fetched archive lies."""
        return self.root / f"{name}.zip.part"

    def record(self, name: str) -> Path:
        """Where the record of a finished archive lies."""
        return self.root / f"{name}.json"

    def finished(self, name: str, archive: ArchiveOptions) -> FinishedArchive | None:
        """The record of an archive, if it is the one that is wanted and all its files are still there."""
        if not self.record(name).is_file():
            return None
        found = FinishedArchive.from_dict(read_json(self.record(name)))
        whole = found.answers(archive) and all(member.seems_whole(self.data_root) for member in found.members)
        return found if whole else None

    def finish(self, name: str, done: FinishedArchive) -> None:
        """Everything of an archive is there: say so."""
        write_json(self.record(name), done.to_dict())

    def is_ours(self, name: str) -> bool:
        """Whether an archive was fetched by us and is not tidied up yet: its note is there, and no part is left."""
        return note_of(self.part(name)).is_file() and not self.part(name).exists()

    def tidy(self, name: str, *, keep_archive: bool) -> None:
        """Remove what is of no use any more; never an archive that somebody put there."""
        if self.is_ours(name) and not keep_archive:
            self.archive(name).unlink(missing_ok=True)
        self.part(name).unlink(missing_ok=True)
        note_of(self.part(name)).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second run out, which would write into the same files. The lock ends with the process, however it ends.

        Raises:
            DataError: if another run is at it. (On Windows nothing is locked.)
        """
        make_folder(self.root)
        with (self.root / ".lock").open("w") as stream:
            if sys.platform != "win32":
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise DataError(f"{self.root}: another run is downloading into this folder. Wait until it ends.") from error
            yield
