"""The data folder of a project: a lock that admits one run at a time, and a checksum for every file.

    data_dir/
      .lock           held by the run that writes here (flock); its text describes that run
      .lock.workers   shared by the worker processes of the run, which may outlive it for a moment
      .lock.readers   of a folder of an object store only, see `core.reader_locks`
      .checksums/     for each file that a run saved, under its name: its checksum and those of the inputs

Readers of a local folder take no lock. A lock ends with the process that holds it. A folder of an object store also has a lease
(`core.remote_lease`), which keeps out runs on other machines.
"""

import errno
import json
import logging
import os
import socket
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import xxhash

from posescope.core.errors import DataError, PosescopeError
from posescope.core.files import read_checksummed_json, write_checksummed_json, xxh3_of
from posescope.core.mirrors import remote_of
from posescope.core.reader_locks import LOCK, shutting_out_readers

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from posescope.core.remote_lease import RemoteLease

__all__ = ["CHECKSUMS", "DataFolder", "ChecksumRecord", "FolderInUseError", "FolderLock", "checksum_of", "share_folder_lock"]

WORKERS_LOCK, CHECKSUMS = ".lock.workers", ".checksums"

# Errors of flock on file systems without locks.
_CANNOT_LOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})

# (device, inode) of the lock files that this process, or the process that it was forked from, holds.
_held: set[tuple[int, int]] = set()

log = logging.getLogger(__name__)


class FolderInUseError(PosescopeError):
    """Another run has locked the data folder."""

    may_pass = True


@dataclass
class FolderLock:
    """The lock of a folder, held until it is released or this process ends; forked processes share it.

    Attributes:
        handle: Descriptor of the lock file; None on a file system without locks.
        created: The folder, if it was created for the lock; None if it existed before.
        lease: The lease of the remote folder; None for a local folder.
    """

    handle: int | None
    created: Path | None = None
    lease: "RemoteLease | None" = None

    def check(self) -> None:
        """Check that the lease of a remote folder is held.

        Raises:
            LeaseLostError: if another run has taken it over.
        """
        if self.lease is not None:
            self.lease.check()

    def abandon(self) -> None:
        """Release the folder, and remove it if it was created for the lock and holds nothing else."""
        if self.created is not None and {path.name for path in self.created.iterdir()} <= {LOCK, WORKERS_LOCK}:
            for name in (LOCK, WORKERS_LOCK):
                (self.created / name).unlink(missing_ok=True)
            self.created.rmdir()
        self.release()

    def release(self) -> None:
        """Release the folder, even if forked processes still have the descriptor."""
        lease, self.lease = self.lease, None
        try:
            if lease is not None:
                lease.release()
        finally:
            self._unlock()

    def _unlock(self) -> None:
        if self.handle is None or sys.platform == "win32":
            return
        handle, self.handle = self.handle, None
        _held.discard(_identity(handle))
        os.ftruncate(handle, 0)
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


@dataclass(frozen=True)
class ChecksumRecord:
    """Checksum of a saved file or folder.

    Attributes:
        checksum: XXH3-128 of its bytes; for a store, the fingerprint of its content.
        made_from: Dataset name -> checksum, for each input of the node that saved it.
    """

    checksum: str
    made_from: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DataFolder:
    """Lock and checksums of a data folder.

    Attributes:
        root: The folder; links and relative paths to it are equivalent.
    """

    on_demand: ClassVar[None] = None  # of a mirror each dataset is fetched by itself

    root: Path

    def is_finished(self) -> bool:
        """Return True, for the interface of stores."""
        return True

    def acquire_lock(self, description: str) -> FolderLock:
        """Lock the folder for this run, on this machine and, if it belongs to an object store, for other machines too.

        Nothing is waited for, except for a sign of life of a run on another machine, and for readers that fetch.

        Args:
            description: Description of the run, for the message of other runs that need the folder.

        Raises:
            FolderInUseError: if another run has locked it; the message describes that run.
            DataError: if the folder is not writable.
        """
        remote = remote_of(self.root)
        if remote is None:
            return self._lock_here(description)
        with shutting_out_readers(self.root):
            lock = self._lock_here(description)
        from posescope.core.remote_lease import acquire_lease  # noqa: PLC0415  (imports fsspec)

        try:
            lock.lease, holder = acquire_lease(remote.store, description)
        except PosescopeError:
            lock.abandon()
            raise
        if lock.lease is None:
            lock.abandon()
            raise FolderInUseError(self._in_use(remote.address, holder))
        return lock

    def _lock_here(self, description: str) -> FolderLock:
        if sys.platform == "win32":
            log.warning("%s: not locked, since Windows has no flock. Do not start another run in this folder.", self.root)
            return FolderLock(None)
        created = None if self.root.exists() else self.root
        handle = self._open(LOCK)
        try:
            if not self._try_lock(handle, fcntl.LOCK_EX):
                os.close(handle)
                return FolderLock(None, created)
            if _identity(handle) != _identity_of(self.root / LOCK):  # another run removed the file before it was locked here
                os.close(handle)
                return self._lock_here(description)
            self._check_workers()
        except PosescopeError:
            os.close(handle)
            raise
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "what": description}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(note).encode(), 0)
        _held.add(_identity(handle))
        return FolderLock(handle, created)

    def read_checksum(self, path: Path) -> ChecksumRecord | None:
        """Return the record of a saved file; None if it has none, or is outside this folder.

        Raises:
            DataError: if the record is damaged.
        """
        record = self._record_path(path)
        if record is None or not record.is_file():
            return None
        content = read_checksummed_json(record, "")
        inputs = content.get("made_from")
        if not isinstance(inputs, dict) or not all(
            isinstance(value, str) for value in (content.get("checksum"), *inputs.values())
        ):
            raise DataError(f"{record}: expected the text fields checksum and made_from. The record is damaged.")
        return ChecksumRecord(content["checksum"], content["made_from"])

    def write_checksum(self, path: Path, record: ChecksumRecord) -> None:
        """Write the record of a saved file; files outside this folder get none.

        Args:
            path: The file or folder.
            record: Its checksum, and those of the inputs it was made from.
        """
        target = self._record_path(path)
        if target is not None:
            write_checksummed_json(target, {"checksum": record.checksum, "made_from": dict(record.made_from)}, compact=True)

    def checksum_path(self, path: Path) -> Path:
        """Return the path of the record of a saved file."""
        return self._record_path(path) or path

    def _record_path(self, path: Path) -> Path | None:
        root, file = self.root.resolve(), path.resolve()
        return root / CHECKSUMS / f"{file.relative_to(root)}.json" if file.is_relative_to(root) else None

    def _open(self, name: str) -> int:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return os.open(self.root / name, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise DataError(
                f"{self.root}: not writable ({error.strerror or error}). Use another data_dir: --params data_dir=FOLDER"
            ) from error

    def _try_lock(self, handle: int, kind: int) -> bool:
        """Return False on a file system without locks."""
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(self._describe_holder(handle)) from error
        except OSError as error:
            if error.errno not in _CANNOT_LOCK:
                raise DataError(f"{self.root / LOCK}: cannot be locked ({error.strerror}).") from error
            log.warning(
                "%s: not locked, since this file system has no locks. Do not start another run in this folder.", self.root
            )
            return False
        return True

    def _check_workers(self) -> None:
        handle = self._open(WORKERS_LOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(
                f"{self.root}: worker processes of an earlier run are still writing. Try again in a moment."
            ) from error
        finally:
            os.close(handle)

    def _describe_holder(self, handle: int) -> str:
        try:
            note = json.loads(os.pread(handle, 65_536, 0))
            who = f"process {note['pid']} on {note['host']}, since {note['since']}: {note['what']}"
        except (ValueError, KeyError, TypeError, RecursionError):
            who = "which is starting or ending"
        return self._in_use(str(self.root), who)

    @staticmethod
    def _in_use(place: str, holder: str) -> str:
        return (
            f"{place}: another run uses this folder ({holder}). Wait until it has ended, or use another data_dir: "
            "--params data_dir=FOLDER"
        )


@contextmanager
def share_folder_lock(folder: Path) -> Iterator[None]:
    """Share the lock of the data folder that contains `folder`.

    The folder stays locked while this process runs, even if the main process is killed.

    For worker processes of a run. Nothing happens if no run has locked a parent folder, or if this process holds the lock.

    Args:
        folder: A folder in the data folder, to which the process writes.
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
    except OSError:  # a file system without locks: the run has logged it
        os.close(handle)
        return None
    return handle


def checksum_of(path: Path, without: Collection[str] = ()) -> str:
    """Return the XXH3-128 checksum of a file, or of the names and contents of all files in a folder, hidden ones excluded.

    Args:
        path: The file or folder.
        without: Names of files directly in the folder that do not count.
    """
    if path.is_file():
        return xxh3_of(path)
    digest = xxhash.xxh3_128()
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if file.is_file() and name.as_posix() not in without and not any(part.startswith(".") for part in name.parts):
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
