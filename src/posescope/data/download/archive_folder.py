"""The folder of archives during the download, and the record of each finished archive.

    <raw_dir>/archives/
      train2017.zip.part        downloaded by this program, partially or completely; its version is beside it (`http_transfer`)
      train2017.zip             provided by the user, or kept after unpacking: never removed
      train2017.json            the record of a finished archive: its checksums and all files unpacked from it

The record is written last, and is valid only while all its files exist with their sizes.
"""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from posescope.core.errors import DataError
from posescope.core.files import locked
from posescope.data.download.http_transfer import version_path
from posescope.data.download.local_files import make_folder, progress_bar, read_record
from posescope.data.download.options import ArchiveOptions
from posescope.data.download.unpacking import has_size

__all__ = ["ArchiveFolder", "ArchiveRecord", "Checksums", "checksums_of"]

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Checksums:
    """Attributes: size_bytes; sha256, md5: hexadecimal digits."""

    size_bytes: int
    sha256: str
    md5: str

    def find_mismatches(self, archive: ArchiveOptions) -> list[str]:
        """Return a phrase for each known value of the options that differs."""
        pairs = (
            ("size", archive.size_bytes, self.size_bytes),
            ("SHA-256", archive.sha256, self.sha256),
            ("MD5", archive.md5, self.md5),
        )
        return [f"{name} {found}, expected {expected}" for name, expected, found in pairs if expected not in (None, found)]


def checksums_of(path: Path) -> Checksums:
    """Read a file once for size, SHA-256 and MD5: publishers state one or the other."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream, progress_bar(f"check {path.name}", path.stat().st_size) as bar:
        while chunk := stream.read(_CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
            bar.update(len(chunk))
    return Checksums(size, sha256.hexdigest(), md5.hexdigest())


@dataclass(frozen=True)
class ArchiveRecord:
    """An archive that was checked and unpacked.

    Attributes:
        url: where it was downloaded from; None if the user provided it.
        pattern: pattern of the unpacked files.
        checksums: checksums of the archive.
        members: size in bytes and CRC-32 of each unpacked file by name.
    """

    url: str | None
    pattern: str
    checksums: Checksums
    members: dict[str, tuple[int, int]]

    @property
    def unpacked_bytes(self) -> int:
        """Size of the unpacked files, bytes."""
        return sum(size for size, _ in self.members.values())


_RECORD = TypeAdapter(ArchiveRecord)


@dataclass(frozen=True)
class ArchiveFolder:
    """Owns the folder `archives` below `data_root`, the folder of the data set."""

    data_root: Path

    @property
    def root(self) -> Path:
        """The folder `archives`."""
        return self.data_root / "archives"

    def archive(self, name: str) -> Path:
        """Return the path of an archive that the user provided or that is kept."""
        return self.root / f"{name}.zip"

    def part(self, name: str) -> Path:
        """Return the path of an archive that is being downloaded, and of the complete one until it is unpacked."""
        return self.root / f"{name}.zip.part"

    def record(self, name: str) -> Path:
        """Return the path of the record of a finished archive."""
        return self.root / f"{name}.json"

    def finished(self, name: str, archive: ArchiveOptions) -> ArchiveRecord | None:
        """Return the record of an archive if it matches the options and all its files exist, or None.

        Args:
            name: name of the archive.
            archive: its options.
        """
        record = read_record(self.record(name), _RECORD, "the archive counts as not finished")
        if record is None or record.pattern != archive.members or record.checksums.find_mismatches(archive):
            return None
        complete = all(has_size(self.data_root / member, size) for member, (size, _) in record.members.items())
        return record if complete else None

    def discard_part(self, name: str) -> None:
        """Remove a downloaded archive and its version; nothing if there is none."""
        self.part(name).unlink(missing_ok=True)
        version_path(self.part(name)).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second run. The lock ends with the process. Windows has none.

        Raises:
            DataError: if another run holds the folder.
        """
        make_folder(self.root)
        with locked(self.root, wait=False) as is_locked:
            if not is_locked and sys.platform != "win32":
                raise DataError(
                    f"{self.root}: another run downloads into this folder, or its file system has no locks. Wait until the other "
                    "run ends, or choose another folder: --params raw_dir=FOLDER"
                )
            yield
