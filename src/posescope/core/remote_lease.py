"""The lease of a remote folder: an object that one run holds and renews, in place of the lock of a local folder.

    .lease.json     {token, pid, host, since, what, renewals}; renewed every 10 s, deleted at the end

A lease whose object does not change for 35 s belongs to a run that was killed, and is taken over. Nothing depends on the clocks
of two machines. A run that loses its lease, because its machine was suspended for example, ends before its next node.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from posescope.core.errors import DataError
from posescope.core.mirrors import LEASE
from posescope.core.object_store import ObjectStore

__all__ = ["LeaseLostError", "RemoteLease", "acquire_lease"]

RENEW_S, EXPIRE_S, POLL_S = 10.0, 35.0, 1.0

log = logging.getLogger(__name__)


class LeaseLostError(DataError):
    """Another run has taken over the folder."""

    may_pass = True


@dataclass
class RemoteLease:
    """A lease that this process holds. Use `acquire_lease`.

    Attributes:
        store: The object store of the folder.
        content: Content of the lease object.
    """

    store: ObjectStore
    content: dict[str, Any]
    _ended: threading.Event = field(default_factory=threading.Event)
    _lost: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Check that the lease is held.

        Raises:
            LeaseLostError: if another run has taken it over.
        """
        if self._lost.is_set():
            raise LeaseLostError(
                f"{self.store.address}: another run has taken over this folder, since the lease was not renewed for "
                f"{EXPIRE_S:g} s. This run writes nothing more. Run the same command again when the other run has ended."
            )

    def start(self) -> None:
        """Renew the lease in a thread until it is released."""
        threading.Thread(target=self._renew_until_end, name="renew-lease", daemon=True).start()

    def release(self) -> None:
        """Delete the lease object, unless another run has taken it over."""
        self._ended.set()
        if not self._lost.is_set() and _read(self.store).get("token") == self.content["token"]:
            self.store.delete([LEASE])

    def _renew_until_end(self) -> None:
        while not self._ended.wait(RENEW_S):
            try:
                if _read(self.store).get("token") != self.content["token"]:
                    self._lost.set()
                    log.error("%s: the lease was lost to another run.", self.store.address)
                    return
                self.content["renewals"] += 1
                self.store.write(LEASE, json.dumps(self.content).encode())
            except DataError as error:  # the store is unreachable: other runs cannot reach it either, or take the lease over
                log.warning("The lease could not be renewed: %s", error)


def acquire_lease(store: ObjectStore, description: str) -> tuple[RemoteLease | None, str]:
    """Take the lease of a folder; wait up to 35 s to find out whether its present holder still renews it.

    Args:
        store: The object store of the folder.
        description: Description of the run, for the message of other runs that need the folder.

    Returns:
        The lease and an empty text, or None and a description of the run that holds it.

    Raises:
        DataError: if the object store cannot be read or written.
    """
    content = {
        "token": uuid.uuid4().hex, "pid": os.getpid(), "host": socket.gethostname(), "since": _utc(), "what": description,
        "renewals": 0,
    }  # fmt: skip
    raw, takes_over = json.dumps(content).encode(), False
    while not store.create(LEASE, raw):
        holder = _read(store)
        if not _is_dead_here(holder) and not _expires(store):
            return None, _describe(holder)
        log.info("%s: taking over from a run that was killed (%s).", store.address, _describe(holder))
        store.delete([LEASE])
        takes_over = True
    if takes_over:
        time.sleep(POLL_S)  # another run may have seen the same dead lease, and deleted this one
    if _read(store).get("token") != content["token"]:  # a store without conditional writes: the last writer has it
        return None, _describe(_read(store))
    lease = RemoteLease(store, content)
    lease.start()
    return lease, ""


def _read(store: ObjectStore) -> dict[str, Any]:
    with suppress(FileNotFoundError, ValueError):
        found = json.loads(store.read(LEASE))
        if isinstance(found, dict):
            return found
    return {}


def _is_dead_here(holder: dict[str, Any]) -> bool:
    """Return whether the holder was a process of this machine that has ended."""
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int) or pid <= 0:
        return False
    import psutil  # noqa: PLC0415  (only needed here)

    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _expires(store: ObjectStore) -> bool:
    """Watch the lease, and return whether it did not change for `EXPIRE_S` seconds or was deleted."""
    seen, until = store.stat(LEASE), time.monotonic() + EXPIRE_S
    if seen is not None:
        log.info("%s: another run holds the lease; waiting up to %g s for its next renewal.", store.address, EXPIRE_S)
    while seen is not None and time.monotonic() < until:
        time.sleep(POLL_S)
        now = store.stat(LEASE)
        if now is not None and now != seen:
            return False
        seen = now
    return True


def _describe(holder: dict[str, Any]) -> str:
    if not {"pid", "host", "since", "what"} <= set(holder):
        return "which is starting or ending"
    return f"process {holder['pid']} on {holder['host']}, since {holder['since']}: {holder['what']}"


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
