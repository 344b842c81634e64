"""Checksums of a large file, with progress."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from posescope.core.errors import DataError
from posescope.core.files import write_json
from posescope.data.download.disk_space import make_folder, progress_bar
from posescope.data.download.options import ArchiveOptions
from posescope.data.download.resume_info import note_of, read_kept
from posescope.data.download.unpacking import Member

__all__ = ["Checksums", "checksums_of", "ArchiveFolder", "FinishedArchive"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Checksums:
    """Of one file: its size in bytes, SHA-256 and MD5 as hexadecimal digits."""

    size_bytes: int
    sha256: str
    md5: str

    def faults(self, size_bytes: int | None, sha256: str | None, md5: str | None) -> list[str]:
        """In words, what differs from what is expected; None stands for what is not known."""
        pairs = (("size", size_bytes, self.size_bytes), ("SHA-256", sha256, self.sha256), ("MD5", md5, self.md5))
        return [f"{what} {found}, expected {wanted}" for what, wanted, found in pairs if wanted not in (None, found)]


def checksums_of(path: Path) -> Checksums:
    """Read a file once, for both checksums: sources of data publish now the one, now the other."""
    # MD5 finds damage, which is all that it is for; against forgery stands SHA-256.
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream, progress_bar(f"check {path.name}", path.stat().st_size) as bar:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
            bar.update(len(chunk))
    return Checksums(size, sha256.hexdigest(), md5.hexdigest())


# MERGED from archive_folder: Where archives lie while they are fetched and unpacked, and the record of each one that is
# done.
#
#     <raw_dir>/archives/
#       train2017.zip.part        half fetched; beside it its note (part_note.py)
#       train2017.zip             whole and checked, but not unpacked yet; or kept; or put there by somebody
#       train2017.zip.origin      of one that we fetched and did not unpack yet: address, size and SHA-256
#       train2017.json            done: checksums of the archive, and every file that came out of it
#
# The record is written last. It vouches only as long as every file of it lies there with its size: existence is not
# enough.
# We remove only what we fetched, and know it by its SHA-256: somebody may have put an archive of his own in its place.

if sys.platform != "win32":
    import fcntl


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


@dataclass(frozen=True)
class _Record:
    """A finished archive as JSON content; members: name -> size in bytes, CRC-32."""

    url: str | None
    pattern: str
    checksums: Checksums
    members: dict[str, tuple[int, int]]

    def to_finished(self) -> FinishedArchive:
        members = tuple(Member(name, size, crc) for name, (size, crc) in self.members.items())
        return FinishedArchive(self.url, self.pattern, self.checksums, members)


@dataclass(frozen=True)
class _Origin:
    """Of an archive that we fetched: where it came from, its size, and by what it is known again."""

    url: str
    size_bytes: int
    sha256: str


_RECORD = TypeAdapter(_Record)
_ORIGIN = TypeAdapter(_Origin)


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
        record = read_kept(self.record(name), _RECORD, "the archive counts as not finished")
        if record is None:
            return None
        found = record.to_finished()
        whole = found.answers(archive) and all(member.seems_whole(self.data_root) for member in found.members)
        return found if whole else None

    def finish(self, name: str, done: FinishedArchive) -> None:
        """Everything of an archive is there: say so."""
        write_json(self.record(name), done.to_dict())

    def take(self, name: str, url: str, found: Checksums) -> None:
        """A part is whole, and has these checksums: give it its name, and note that it is ours to remove."""
        write_json(self._note(name), asdict(_Origin(url, found.size_bytes, found.sha256)))
        self.part(name).replace(self.archive(name))
        note_of(self.part(name)).unlink(missing_ok=True)

    def discard_part(self, name: str) -> None:
        """Remove what has come of an archive."""
        self.part(name).unlink(missing_ok=True)
        note_of(self.part(name)).unlink(missing_ok=True)

    def drop_forgotten_note(self, name: str) -> None:
        """A note says nothing once its part is gone."""
        if not self.part(name).exists():
            note_of(self.part(name)).unlink(missing_ok=True)

    def origin(self, name: str, found: Checksums | None = None) -> str | None:
        """The address that the archive lying there was fetched from; None if it is not the one that we fetched.

        Args:
            name: of the archive.
            found: its checksums; None: not known, it is read for them where its size fits.
        """
        ours = read_kept(self._note(name), _ORIGIN, "the archive counts as put there by somebody")
        path = self.archive(name)
        if ours is None or not path.is_file() or path.stat().st_size != ours.size_bytes:
            return None
        return ours.url if (found or checksums_of(path)).sha256 == ours.sha256 else None

    def tidy(self, name: str, *, keep_archive: bool, found: Checksums | None = None) -> None:
        """Remove what is of no use any more; never an archive that somebody put there.

        Args:
            name: of the archive.
            keep_archive: whether it stays, from now on like one that somebody put there.
            found: its checksums; None: not known.
        """
        if not keep_archive and self.origin(name, found) is not None:
            self.archive(name).unlink()
        self.discard_part(name)
        self._note(name).unlink(missing_ok=True)

    def _note(self, name: str) -> Path:
        return self.root / f"{name}.zip.origin"  # JSON, but not called so: `a.zip.json` is the record of an archive `a.zip`

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
