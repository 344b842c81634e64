"""The folder of a project's data: one run at a time writes into it, and every file of it has a checksum.

    data_dir/
      .lock           held by the run that works here (flock); its text names that run
      .lock.workers   held in common by the processes that the run started: they may outlive it for a moment
      .checksums/     for each file that a run saved, and under its name, the checksum and what it was made from

Readers take no lock. A lock ends with the process that holds it, however that ends.
"""

import errno
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import xxhash

from posescope.core.errors import DataError, PosescopeError
from posescope.core.files import read_checksummed_json, write_checksummed_json, xxh3_of

if sys.platform != "win32":
    import fcntl

__all__ = ["DataFolder", "ChecksumRecord", "FolderInUseError", "FolderLock", "checksum_of", "share_folder_lock"]

LOCK, WORKERS_LOCK, CHECKSUMS = ".lock", ".lock.workers", ".checksums"

# What flock says on file systems that cannot lock.
_CANNOT_LOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})

# (device, inode) of the lock files that this process, or the one that it was forked from, holds.
_held: set[tuple[int, int]] = set()

log = logging.getLogger(__name__)


class FolderInUseError(PosescopeError):
    """Another run works in the data folder."""


@dataclass
class FolderLock:
    """The lock of a folder, until it is released or this process ends; forked processes share it.

    Attributes:
        handle: descriptor of the lock file; None where the file system cannot lock.
        made: the folder, if it was made to be held; None if it was there before.
    """

    handle: int | None
    made: Path | None = None

    def abandon(self) -> None:
        """Release the folder, and remove it if it was made to be held and nothing else has come into it."""
        if self.made is not None and {path.name for path in self.made.iterdir()} <= {LOCK, WORKERS_LOCK}:
            for name in (LOCK, WORKERS_LOCK):
                (self.made / name).unlink(missing_ok=True)
            self.made.rmdir()
        self.release()

    def release(self) -> None:
        """Give the folder free, also where forked processes still have the descriptor."""
        if self.handle is None or sys.platform == "win32":
            return
        handle, self.handle = self.handle, None
        _held.discard(_identity(handle))
        os.ftruncate(handle, 0)
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


@dataclass(frozen=True)
class ChecksumRecord:
    """What is known of a saved file or folder.

    Attributes:
        checksum: XXH3-128 of its bytes; of a store, the fingerprint of its content.
        made_from: checksum of each dataset that the node read, by the dataset's name.
    """

    checksum: str
    made_from: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataFolder:
    """Owns the lock and the checksums of a data folder.

    Attributes:
        root: the folder; several names of one folder (links, relative paths) are the same.
    """

    root: Path

    def is_finished(self) -> bool:
        """True: it is always there."""
        return True

    def hold(self, what: str) -> FolderLock:
        """Take the folder for this run alone.

        Args:
            what: the run in words, for others who want the folder.

        Raises:
            FolderInUseError: at once, if another run has it; the message says which.
            DataError: if nothing can be written there.
        """
        if sys.platform == "win32":
            log.warning("%s: Windows has no lock of this kind. Take care that no other run works here.", self.root)
            return FolderLock(None)
        made = None if self.root.exists() else self.root
        handle = self._open(LOCK)
        try:
            if not self._try_lock(handle, fcntl.LOCK_EX):
                os.close(handle)
                return FolderLock(None, made)
            if _identity(handle) != _identity_of(self.root / LOCK):  # a run that gave up removed it before it was locked here
                os.close(handle)
                return self.hold(what)
            self._check_workers()
        except PosescopeError:
            os.close(handle)
            raise
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "what": what}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(note).encode(), 0)
        _held.add(_identity(handle))
        return FolderLock(handle, made)

    def read_checksum(self, path: Path) -> ChecksumRecord | None:
        """What was noted when `path` was saved; None if it was not, or lies outside this folder.

        Raises:
            DataError: if the note is damaged.
        """
        place = self._note_path(path)
        if place is None or not place.is_file():
            return None
        content = read_checksummed_json(place, "")
        if not isinstance(content.get("made_from"), dict):
            raise DataError(f"{place}: expected a checksum and what the file was made from.")
        told = (content.get("checksum"), *content["made_from"].values())
        if not all(isinstance(checksum, str) for checksum in told):
            raise DataError(f"{place}: expected checksums as text.")
        return ChecksumRecord(content["checksum"], content["made_from"])

    def write_checksum(self, path: Path, note: ChecksumRecord) -> None:
        """Note what was saved at `path`; nothing is noted of what lies outside this folder."""
        place = self._note_path(path)
        if place is not None:
            write_checksummed_json(place, {"checksum": note.checksum, "made_from": dict(note.made_from)}, compact=True)

    def checksum_path(self, path: Path) -> Path:
        """Where the note of `path` lies."""
        return self._note_path(path) or path

    def _note_path(self, path: Path) -> Path | None:
        root, file = self.root.resolve(), path.resolve()
        return root / CHECKSUMS / f"{file.relative_to(root)}.json" if file.is_relative_to(root) else None

    def _open(self, name: str) -> int:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return os.open(self.root / name, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise DataError(
                f"{self.root}: a run cannot write here ({error.strerror or error}). Take another data_dir: "
                "--params data_dir=FOLDER"
            ) from error

    def _try_lock(self, handle: int, kind: int) -> bool:
        """False where the file system cannot lock."""
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(self._say_who(handle)) from error
        except OSError as error:
            if error.errno not in _CANNOT_LOCK:
                raise DataError(f"{self.root / LOCK}: cannot be locked ({error.strerror}).") from error
            log.warning("%s: this file system cannot lock files. Take care that no other run works here.", self.root)
            return False
        return True

    def _check_workers(self) -> None:
        handle = self._open(WORKERS_LOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(
                f"{self.root}: processes of an earlier run, which was ended, are still at work here. Wait a moment."
            ) from error
        finally:
            os.close(handle)

    def _say_who(self, handle: int) -> str:
        try:
            note = json.loads(os.pread(handle, 65_536, 0))
            who = f"process {note['pid']} on {note['host']}, since {note['since']}: {note['what']}"
        except (ValueError, KeyError, TypeError, RecursionError):
            who = "it has just begun or is about to end"
        return (
            f"{self.root}: another run works here ({who}). Wait until it has ended, or take another data_dir: "
            "--params data_dir=FOLDER"
        )


@contextmanager
def share_folder_lock(folder: Path) -> Iterator[None]:
    """Keep the data folder around `folder` taken while a process that a run started works in it, even if that run is killed.

    Nothing happens where no run has taken such a folder, or where this process has it.
    """
    handle = None if sys.platform == "win32" else _join(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _join(folder: Path) -> int | None:
    place = folder.resolve()
    root = next((parent for parent in (place, *place.parents) if (parent / WORKERS_LOCK).is_file()), None)
    if root is None or _identity_of(root / LOCK) in _held:
        return None
    handle = os.open(root / WORKERS_LOCK, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
    except OSError:  # a file system that cannot lock: the run has said so
        os.close(handle)
        return None
    return handle


def checksum_of(path: Path) -> str:
    """XXH3-128 of a file, or of all files in a folder and their names; hidden ones do not count."""
    if path.is_file():
        return xxh3_of(path)
    digest = xxhash.xxh3_128()
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()}\0{xxh3_of(file)}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _identity(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
