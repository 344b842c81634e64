"""Open an export as it was downloaded: a file, a folder or a zip archive, whose members are unpacked only if they are safe."""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from posescope.core.errors import DataError
from posescope.labelling.label_set import LabelError

# NotImplementedError: an unknown compression; RuntimeError: a password.
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError)

__all__ = ["MAX_UNPACKED_BYTES", "unpacked"]

MAX_UNPACKED_BYTES = 8 * 1024**3
_MAX_MEMBERS = 1_000_000
_PIECE_BYTES = 1024**2
_IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic")


@contextmanager
def unpacked(path: Path, *, images: bool = False, max_bytes: int = MAX_UNPACKED_BYTES) -> Iterator[Path]:
    """Yield a file or folder; that of a zip archive is temporary.

    Args:
        path: a file, a folder, or a zip archive of either.
        images: unpack the images, too; without, they are left in the archive.
        max_bytes: maximum size of the unpacked members.

    Yields:
        The path itself, or the folder with the members of the archive.

    Raises:
        DataError: if there is no such path, the archive is damaged or too large, or a member would be written outside the folder.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder.")
    if path.is_dir() or not zipfile.is_zipfile(path):
        if path.suffix == ".zip":
            raise LabelError(f"{path}: not a zip archive that can be read. Download it again.")
        yield path
        return
    with TemporaryDirectory(prefix="posescope-labels-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, path, Path(folder), images=images, max_bytes=max_bytes)
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            zlib.error,
            lzma.LZMAError,
            UnicodeDecodeError,
        ) as error:
            raise LabelError(f"{path}: the zip archive cannot be read ({error}). Unpack it, and give the folder.") from error
        yield Path(folder)


def _unpack(archive: zipfile.ZipFile, path: Path, folder: Path, *, images: bool, max_bytes: int) -> None:
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise LabelError(f"{path}: expected at most {_MAX_MEMBERS:,} members, found {len(members):,}.")
    left = max_bytes
    for member in members:
        target = folder / _check_member(member, path)
        if member.is_dir() or (not images and target.suffix.lower() in _IMAGES):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("wb") as sink:
            left -= _copy(source, sink, left, path, max_bytes)


def _check_member(member: zipfile.ZipInfo, path: Path) -> PurePosixPath:
    name = member.filename.replace("\\", "/")
    inside = PurePosixPath(name)
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    leaves = inside.is_absolute() or ".." in inside.parts or not inside.parts or ":" in inside.parts[0]
    if is_link or leaves:
        raise LabelError(
            f"{path}: the member {member.filename!r:.200} would be written outside the folder. The archive is refused."
        )
    return inside


def _copy(source: IO[bytes], sink: IO[bytes], left: int, path: Path, max_bytes: int) -> int:
    """Copy a member, and return its size: that in the directory of the archive may be wrong."""
    copied = 0
    while piece := source.read(_PIECE_BYTES):
        copied += len(piece)
        if copied > left:
            raise LabelError(f"{path}: expands to more than {max_bytes:,} bytes. Unpack it, and give the folder.")
        sink.write(piece)
    return copied
