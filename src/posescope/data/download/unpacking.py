"""Unpacking an archive that nobody vouches for: it cannot leave its folder, fill the disk, or leave half a file.

    train2017/000000000009.jpg  <-(rename)-  train2017/.000000000009.jpg.part

All members are looked at before the first byte is written. A file that is there already stays, if its size and CRC-32 are
those of the archive; so an interrupted run goes on where it was.
"""

import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posescope.core.errors import DataError
from posescope.data.download.disk_space import check_room, format_bytes, progress_bar, write_fault

__all__ = ["ArchiveError", "Member", "Unpacked", "UnpackLimits", "unpack"]

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_DRIVE_OR_STREAM = re.compile(r"[:\\\x00]")


class ArchiveError(DataError):
    """An archive is damaged, or holds what must not be unpacked."""


@dataclass(frozen=True)
class Member:
    """A file of an archive: its path below the root, its size in bytes, its CRC-32."""

    name: str
    size_bytes: int
    crc32: int

    def seems_whole(self, folder: Path) -> bool:
        """Whether it lies below `folder` with the right size."""
        try:
            found = (folder / self.name).stat()  # one look a file: a split has 118,000
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == self.size_bytes

    def is_whole(self, folder: Path) -> bool:
        """Whether it lies below `folder` with the right size and the right bytes."""
        return self.seems_whole(folder) and _crc32_of(folder / self.name) == self.crc32


@dataclass(frozen=True)
class Unpacked:
    """What was unpacked: all wanted members, and how many of them had to be written."""

    members: tuple[Member, ...]
    written: int


@dataclass(frozen=True)
class UnpackLimits:
    """Bytes that the wanted files may take at most, and bytes that stay free on the disk."""

    max_unpacked_bytes: int
    min_free_bytes: int


def unpack(archive: Path, folder: Path, wants: Callable[[str], bool], limits: UnpackLimits) -> Unpacked:
    """Unpack the wanted files of a zip archive below `folder`, each under the path that it has in the archive.

    Links that stand in `folder` already are followed: whoever put `train2017` on another disk meant it.

    Raises:
        ArchiveError: if it is no zip archive, is damaged, has a member that would leave the folder or is no plain file, has
            none of the wanted files, or is larger unpacked than it may be. What is written by then is whole.
        DiskSpaceError: if it does not fit on the disk.
    """
    with _opened(archive) as source:
        members = _list_members(archive, source, wants, limits.max_unpacked_bytes)
        missing = sum(member.size_bytes for member in members if not member.seems_whole(folder))
        check_room(folder, missing, limits.min_free_bytes)
        written = 0
        with progress_bar(f"unpack {archive.name}", sum(member.size_bytes for member in members)) as bar:
            for member in members:
                if not member.is_whole(folder):
                    _write_member(archive, source, member, folder)
                    written += 1
                bar.update(member.size_bytes)
    return Unpacked(members, written)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as source:
            yield source
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ArchiveError(f"{archive}: not a whole zip archive ({error}). Remove it and fetch it again.") from error


def _list_members(archive: Path, source: zipfile.ZipFile, wants: Callable[[str], bool], limit: int) -> tuple[Member, ...]:
    for info in source.infolist():
        fault = _fault_of(info)
        if fault:
            raise ArchiveError(f"{archive}: '{info.orig_filename}' {fault}. Nothing of this archive is unpacked.")
    wanted = [info for info in source.infolist() if not info.is_dir() and wants(info.filename)]
    if not wanted:
        raise ArchiveError(f"{archive}: none of its {len(source.infolist())} members is wanted (download.archives.NAME.members).")
    names = {info.filename for info in wanted}
    if len(names) != len(wanted):
        raise ArchiveError(f"{archive}: several members have the same name. Nothing of this archive is unpacked.")
    total = sum(info.file_size for info in wanted)
    if total > limit:
        raise ArchiveError(
            f"{archive}: its files would take {format_bytes(total)}, more than the {format_bytes(limit)} of download.max_unpacked_bytes. "
            "Nothing of this archive is unpacked."
        )
    return tuple(Member(info.filename, info.file_size, info.CRC) for info in wanted)


def _fault_of(info: zipfile.ZipInfo) -> str:
    """Why a member must not be unpacked, or ''."""
    # zipfile cuts a name at a NUL and knows other separators on other systems: the name as it stands in the archive counts.
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or _DRIVE_OR_STREAM.search(name):
        return "is no path below a folder"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "would leave the folder, or has no plain path"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return ""


def _write_member(archive: Path, source: zipfile.ZipFile, member: Member, folder: Path) -> None:
    path = folder / member.name
    part = path.with_name(f".{path.name}.part")  # always the same: what a killed run left is written over
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with source.open(member.name) as packed, part.open("wb") as stream:
                _copy(archive, member, packed, stream)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise write_fault(path, error) from error


def _copy(archive: Path, member: Member, packed: Any, stream: Any) -> None:
    """Copy, and count what really comes: the sizes in an archive are only what its maker says."""
    here = 0
    while chunk := packed.read(_CHUNK):
        here += len(chunk)
        if here > member.size_bytes:
            break
        stream.write(chunk)
    if here != member.size_bytes:
        raise ArchiveError(f"{archive}: '{member.name}' has not the {member.size_bytes} bytes that the archive says.")


def _crc32_of(path: Path) -> int:
    value = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value
