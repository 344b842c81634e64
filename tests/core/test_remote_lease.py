"""The lease of a remote folder, on the memory file system of fsspec."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import fsspec
import pytest

from posescope.core import remote_lease
from posescope.core.mirrors import LEASE
from posescope.core.object_store import ObjectStore
from posescope.core.remote_lease import LeaseLostError, acquire_lease


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setattr(remote_lease, "RENEW_S", 0.02)
    monkeypatch.setattr(remote_lease, "EXPIRE_S", 0.2)
    monkeypatch.setattr(remote_lease, "POLL_S", 0.02)
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield ObjectStore("memory://bucket/run")
    files.store.clear()


def write_foreign_lease(store: ObjectStore, renewals: int = 0, **changes: object) -> None:
    content = {"token": "t", "pid": 1, "host": "elsewhere", "since": "2026-01-01", "what": "modelling", "renewals": renewals}
    store.write(LEASE, json.dumps(content | changes).encode())


def test_a_held_lease_is_renewed_and_released(store: ObjectStore) -> None:
    lease, holder = acquire_lease(store, "data_engineering")
    assert lease is not None
    assert holder == ""
    first = store.stat(LEASE)
    time.sleep(0.2)
    assert store.stat(LEASE) != first
    lease.check()
    lease.release()
    assert store.stat(LEASE) is None


def test_a_second_run_is_refused_with_the_name_of_the_first(store: ObjectStore) -> None:
    lease, _ = acquire_lease(store, "modelling")
    refused, holder = acquire_lease(store, "evaluation")
    assert refused is None
    assert holder.endswith("modelling")
    assert lease is not None
    lease.release()


def test_the_lease_of_a_killed_run_elsewhere_is_taken_over(store: ObjectStore) -> None:
    write_foreign_lease(store)
    lease, _ = acquire_lease(store, "evaluation")
    assert lease is not None
    lease.release()


def test_the_lease_of_a_killed_process_here_is_taken_over_at_once(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    write_foreign_lease(store, pid=process.pid, host=remote_lease.socket.gethostname())
    monkeypatch.setattr(remote_lease, "EXPIRE_S", 60.0)
    started = time.monotonic()
    lease, _ = acquire_lease(store, "evaluation")
    assert lease is not None
    assert time.monotonic() - started < 5
    lease.release()


def test_a_lost_lease_stops_the_run(store: ObjectStore) -> None:
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None
    write_foreign_lease(store)
    time.sleep(0.3)
    with pytest.raises(LeaseLostError, match="memory://bucket/run"):
        lease.check()
    lease.release()
    assert store.stat(LEASE) is not None


def test_a_damaged_lease_is_taken_over_once_it_expires(store: ObjectStore) -> None:
    store.write(LEASE, b"{")
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None
    lease.release()
