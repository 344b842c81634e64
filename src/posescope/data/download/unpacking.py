"""Unpack an untrusted zip archive: no file leaves the folder, fills the disk or is left incomplete.

    train2017/000000000009.jpg  <-(rename)-  train2017/.000000000009.jpg.part

All members are checked before the first byte is written. An existing file is kept if its size and CRC-32 are those of the
archive, so an interrupted run resumes.
"""

import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from posescope.core.errors import DataError
from posescope.data.download.local_files import check_free_space, format_bytes, progress_bar, write_error

__all__ = ["ArchiveError", "has_size", "unpack"]

_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_DRIVE_OR_STREAM = re.compile(r"[:\\\x00]")


class ArchiveError(DataError):
    """An archive is damaged, or has members that must not be unpacked."""


def has_size(path: Path, size_bytes: int) -> bool:
    """Return whether a regular file of a size exists.

    Args:
        path: path of the file; links are followed.
        size_bytes: expected size.
    """
    try:
        found = path.stat()  # one call per file: a split has 118,000
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes


def unpack(
    archive: Path, folder: Path, wants: Callable[[str], bool], *, max_unpacked_bytes: int, min_free_bytes: int = 0
) -> tuple[dict[str, tuple[int, int]], int]:
    """Unpack the wanted files of a zip archive below `folder`, under their paths in the archive.

    Links that exist in `folder` are followed, so that `train2017` may be on another disk.

    Args:
        archive: the zip file.
        folder: root of the unpacked files.
        wants: returns whether the file of this name is to be unpacked.
        max_unpacked_bytes: maximum size of the wanted files.
        min_free_bytes: bytes that must stay free on the disk.

    Returns:
        The members: size in bytes and CRC-32 of all wanted files by name; and the number of files written.

    Raises:
        ArchiveError: if the file is no zip archive or damaged, a member would leave the folder or is no regular file, no file is
            wanted, or the wanted files are too large. Files written by then are complete.
        DiskSpaceError: if the files do not fit on the disk.
    """
    with _open_archive(archive) as source:
        members = _list_members(archive, source, wants, max_unpacked_bytes)
        missing = sum(size for name, (size, _) in members.items() if not has_size(folder / name, size))
        check_free_space(folder, missing, min_free_bytes)
        written = 0
        with progress_bar(f"unpack {archive.name}", sum(size for size, _ in members.values())) as bar:
            for name, (size, crc32) in members.items():
                if not has_size(folder / name, size) or _crc32_of(folder / name) != crc32:
                    _write_member(archive, source, name, size, folder)
                    written += 1
                bar.update(size)
    return members, written


@contextmanager
def _open_archive(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as source:
            yield source
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ArchiveError(f"{archive}: not a complete zip archive ({error}). Remove it and download it again.") from error


def _list_members(archive: Path, source: zipfile.ZipFile, wants: Callable[[str], bool], limit: int) -> dict[str, tuple[int, int]]:
    for info in source.infolist():
        error = _find_member_error(info)
        if error:
            raise ArchiveError(f"{archive}: '{info.orig_filename}' {error}. Nothing was unpacked.")
    wanted = [info for info in source.infolist() if not info.is_dir() and wants(info.filename)]
    if not wanted:
        raise ArchiveError(f"{archive}: none of its {len(source.infolist())} members is wanted (download.archives.NAME.members).")
    members = {info.filename: (info.file_size, info.CRC) for info in wanted}
    if len(members) != len(wanted):
        raise ArchiveError(f"{archive}: several members have the same name. Nothing was unpacked.")
    total = sum(size for size, _ in members.values())
    if total > limit:
        raise ArchiveError(
            f"{archive}: the unpacked files would take {format_bytes(total)}, expected at most {format_bytes(limit)} "
            "(download.max_unpacked_bytes). Nothing was unpacked."
        )
    return members


def _find_member_error(info: zipfile.ZipInfo) -> str:
    """Return why a member must not be unpacked, or ''."""
    # zipfile cuts a name at NUL and changes separators by system, so the name as stored in the archive is checked.
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or _DRIVE_OR_STREAM.search(name):
        return "is no path below a folder"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "would leave the folder, or is not a plain path"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return ""


def _write_member(archive: Path, source: zipfile.ZipFile, name: str, size_bytes: int, folder: Path) -> None:
    path = folder / name
    part = path.with_name(f".{path.name}.part")  # a fixed name: the next run overwrites what a killed run left
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            size = 0
            with source.open(name) as packed, part.open("wb") as stream:
                # The sizes in an archive may be wrong, so the bytes are counted.
                while size <= size_bytes and (chunk := packed.read(_CHUNK_BYTES)):
                    stream.write(chunk)
                    size += len(chunk)
            if size != size_bytes:
                raise ArchiveError(f"{archive}: '{name}': expected {size_bytes} bytes, found another number.")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def _crc32_of(path: Path) -> int:
    value = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            value = zlib.crc32(chunk, value)
    return value
