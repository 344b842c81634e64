"""The lease of a remote folder: an object that one run holds and renews, in place of the lock of a local folder.

    .lease.json     {token, pid, host, machine, since, what, renewals}; renewed every 10 s, deleted at the end

A lease whose object does not change for 35 s belongs to a run that was killed, and is taken over. Nothing depends on the clocks
of two machines. A run that loses its lease, because its machine was suspended for example, writes nothing more: all processes of
the run, those on other machines too, know the token of the lease, and compare it with the object before they upload a file. Each
process reads the object at most once in 10 s.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from posescope.core.errors import DataError, PosescopeError
from posescope.core.mirrors import LEASE
from posescope.core.object_store import ObjectStore, StoredObject
from posescope.core.paths import LEASES_VARIABLE

__all__ = ["LeaseLostError", "RemoteLease", "acquire_lease", "check_lease", "held_leases", "join_leases"]

RENEW_S, EXPIRE_S, POLL_S = 10.0, 35.0, 1.0

# (address, token) -> time at which the object had this token, s
_confirmed: dict[tuple[str, str], float] = {}
_joined = threading.local()

log = logging.getLogger(__name__)


class LeaseLostError(PosescopeError):
    """Another run has taken over the remote folder, or the run of this worker has ended."""

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
    _renewing: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Check that the lease is held.

        Raises:
            LeaseLostError: if another run has taken it over.
        """
        if self._lost.is_set():
            raise _lost_error(self.store.address)
        check_lease(self.store.address)

    def start(self) -> None:
        """Renew the lease in a thread until it is released."""
        _keep_token(self.store.address, self.content["token"])
        threading.Thread(target=self._renew_until_end, name="renew-lease", daemon=True).start()

    def release(self) -> None:
        """Delete the lease object, unless another run has taken it over."""
        self._ended.set()
        _keep_token(self.store.address, None)
        with self._renewing:  # a renewal under way would write the object again
            if self._lost.is_set():
                return
            try:
                if _read(self.store).get("token") == self.content["token"]:
                    self.store.delete([LEASE])
            except DataError as error:
                log.warning("The lease could not be deleted, so the next run waits %g s: %s", EXPIRE_S, error)

    def _renew_until_end(self) -> None:
        while not self._ended.wait(RENEW_S):
            with self._renewing:
                if self._ended.is_set():
                    return
                try:
                    is_held = self._renew()
                except DataError as error:  # the store is unreachable: other runs cannot reach it either, or take the lease over
                    log.warning("The lease could not be renewed: %s", error)
                    continue
            if not is_held:
                self._lost.set()
                _confirmed.pop((self.store.address, self.content["token"]), None)
                log.error("%s: the lease was lost to another run.", self.store.address)
                return

    def _renew(self) -> bool:
        """Return whether the lease was renewed, False if it is another's or was deleted."""
        if _read(self.store).get("token") != self.content["token"]:
            return False
        self.content["renewals"] += 1
        try:
            self.store.write(LEASE, json.dumps(self.content).encode())
        except FileNotFoundError:  # deleted by another run before its size was compared
            return False
        _confirmed[self.store.address, self.content["token"]] = time.monotonic()
        return True


def check_lease(address: str) -> None:
    """Check, before something is written, that the run of this process holds the lease of a remote folder.

    Nothing is checked in a process of no run, or for a folder without a lease, such as that of the raw data.

    Args:
        address: Address of the folder.

    Raises:
        LeaseLostError: if another run has taken the folder over, or the run of this worker has ended.
        DataError: if the lease cannot be read.
    """
    tokens: Mapping[str, str] = getattr(_joined, "tokens", None) or held_leases()
    token = tokens.get(address)
    if token is None or time.monotonic() - _confirmed.get((address, token), -RENEW_S) < RENEW_S:
        return
    if _read(ObjectStore(address)).get("token") != token:
        raise _lost_error(address)
    _confirmed[address, token] = time.monotonic()


def held_leases() -> dict[str, str]:
    """Return the tokens of the leases that the run of this process holds, by the address of the folder."""
    text = os.environ.get(LEASES_VARIABLE)
    return json.loads(text) if text else {}


def join_leases(tokens: Mapping[str, str]) -> None:
    """Let this thread, and later threads of this process, write for the run that holds some leases.

    For a worker on another machine, in which a task of an earlier run may still be running in another thread.

    Args:
        tokens: See `held_leases`.
    """
    _joined.tokens = dict(tokens)
    os.environ[LEASES_VARIABLE] = json.dumps(_joined.tokens)


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
        "token": uuid.uuid4().hex, "pid": os.getpid(), "host": socket.gethostname(), "machine": _machine(), "since": _utc(),
        "what": description, "renewals": 0,
    }  # fmt: skip
    raw, takes_over = json.dumps(content).encode(), False
    while not store.create(LEASE, raw):
        seen, holder = store.stat(LEASE), _read(store)
        if seen is None:
            continue  # its run has ended
        if not _is_dead_here(holder) and not _expires(store, seen):
            present = _read(store)
            if not present:
                continue  # its run ended meanwhile
            return None, _describe(present)
        if store.stat(LEASE) == seen:  # else another run that waited has taken it over already
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
    """Return whether the holder was a process that has ended, of this machine and of this container."""
    pid = holder.get("pid")
    if not _machine() or holder.get("machine") != _machine() or not isinstance(pid, int) or pid <= 0:
        return False
    import psutil  # noqa: PLC0415  (only needed here)

    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@cache
def _machine() -> str:
    """Return a text of the machine since its start, and of the namespace of its process ids; empty if they are not known.

    Containers may have the same host name, and each counts its processes from 1.
    """
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _expires(store: ObjectStore, seen: StoredObject) -> bool:
    """Watch the lease, and return whether it did not change for `EXPIRE_S` seconds.

    Args:
        store: The object store of the folder.
        seen: The lease object as it is now.
    """
    until = time.monotonic() + EXPIRE_S
    log.info("%s: another run holds the lease; waiting up to %g s for its next renewal.", store.address, EXPIRE_S)
    while time.monotonic() < until:
        time.sleep(POLL_S)
        if store.stat(LEASE) != seen:
            return False
    return True


def _keep_token(address: str, token: str | None) -> None:
    """Keep the token of a lease for this process and the processes that it starts; None: the lease is no longer held."""
    held = held_leases()
    for known in [one for one in list(_confirmed) if one[0] == address]:
        del _confirmed[known]
    held.pop(address, None)
    if token is not None:
        held[address] = token
        _confirmed[address, token] = time.monotonic()
    if held:
        os.environ[LEASES_VARIABLE] = json.dumps(held)
    else:
        os.environ.pop(LEASES_VARIABLE, None)


def _lost_error(address: str) -> LeaseLostError:
    return LeaseLostError(
        f"{address}: another run has taken over this folder, since the lease was not renewed for {EXPIRE_S:g} s, or the run of "
        "this worker has ended. This process writes nothing more. Run the same command again when the other run has ended."
    )


def _describe(holder: dict[str, Any]) -> str:
    if not {"pid", "host", "since", "what"} <= set(holder):
        return "which is starting or ending"
    return f"process {holder['pid']} on {holder['host']}, since {holder['since']}: {holder['what']}"


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
