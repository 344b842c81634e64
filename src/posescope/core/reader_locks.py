"""Locks by which a reader of a mirror (`core.mirrors.fetch_address`) keeps away from the files of a run on this machine.

    mirror/.lock           held by a run (`core.data_folder`)
    mirror/.lock.readers   shared by readers while they fetch; held by a run while it takes `.lock`

So a run that starts waits until the readers have fetched, and a reader knows for all of its fetch whether a run is there.
"""

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum, auto
from pathlib import Path

from posescope.core.mirrors import MARKER

if sys.platform != "win32":
    import fcntl

__all__ = ["LOCK", "RunState", "shutting_out_readers", "watching_runs"]

LOCK, READERS_LOCK = ".lock", ".lock.readers"

log = logging.getLogger(__name__)


class RunState(Enum):
    """Whether a run on this machine writes to a mirror."""

    NONE = auto()
    POSSIBLE = auto()  # no lock can be had, this process is the run, or the run uses a part of the mirror
    RUNNING = auto()


@contextmanager
def shutting_out_readers(root: Path) -> Iterator[None]:
    """Wait until readers of a mirror have fetched, and let none begin in the block.

    Args:
        root: the mirror.
    """
    with _flock(root / READERS_LOCK, is_shared=False):
        yield


@contextmanager
def watching_runs(root: Path) -> Iterator[RunState]:
    """Yield whether a run on this machine writes to a mirror, to a folder above it or below it; none begins in the block.

    Args:
        root: the mirror.
    """
    above = next((folder for folder in (root, *root.parents) if _is_mirror(folder) and (folder / LOCK).is_file()), root)
    below = [Path(folder) for folder, _, names in os.walk(root) if LOCK in names and Path(folder) != above]
    with ExitStack() as stack:
        are_locked = [stack.enter_context(_flock(folder / READERS_LOCK, is_shared=True)) for folder in (above, *below)]
        if _is_held(above / LOCK) and not _is_held_here(above / LOCK):
            yield RunState.RUNNING
        elif all(are_locked) and not any(_is_held(folder / LOCK) for folder in (above, *below)):
            yield RunState.NONE
        else:
            yield RunState.POSSIBLE


def _is_mirror(folder: Path) -> bool:
    return (folder / MARKER).is_file()


@contextmanager
def _flock(path: Path, is_shared: bool) -> Iterator[bool]:
    """Wait for a lock, and yield whether it is held: not where files cannot be locked."""
    if sys.platform == "win32":
        yield False
        return
    kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:  # a folder that this user cannot write to
        yield False
        return
    try:
        is_locked = False
        with suppress(OSError):  # a file system without locks
            is_locked = _try_flock(handle, kind)
            if not is_locked:
                log.info("%s: waiting until other processes have fetched files or started.", path.parent)
                fcntl.flock(handle, kind)
                is_locked = True
        yield is_locked
    finally:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)  # forked processes may have the descriptor
        os.close(handle)


def _try_flock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(lock: Path) -> bool:
    """Return whether a run holds a lock; False where files cannot be locked."""
    if sys.platform == "win32":
        return False
    try:
        handle = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_flock(handle, fcntl.LOCK_SH)
    except OSError:
        return False
    finally:
        os.close(handle)


def _is_held_here(lock: Path) -> bool:
    try:
        note = json.loads(lock.read_bytes())
        return (note["pid"], note["host"]) == (os.getpid(), socket.gethostname())
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
