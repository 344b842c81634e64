"""The lease of a remote folder, on the memory file system of fsspec."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from posescope.core import remote_lease
from posescope.core.errors import DataError
from posescope.core.files import write_json
from posescope.core.mirrors import LEASE, open_mirror
from posescope.core.object_store import ObjectStore
from posescope.core.remote_lease import LeaseLostError, acquire_lease, check_lease, held_leases, join_leases


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


@pytest.mark.skipif(not remote_lease._machine(), reason="needs /proc")
def test_the_lease_of_a_killed_process_here_is_taken_over_at_once(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    write_foreign_lease(store, pid=process.pid, machine=remote_lease._machine())
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
    assert LeaseLostError.may_pass
    lease.release()
    assert store.stat(LEASE) is not None


def test_a_damaged_lease_is_taken_over_once_it_expires(store: ObjectStore) -> None:
    store.write(LEASE, b"{")
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None
    lease.release()


def test_a_live_lease_of_a_container_with_the_same_host_name_is_kept(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    other = {"pid": process.pid, "host": remote_lease.socket.gethostname(), "machine": "another start, pid:[1]"}
    write_foreign_lease(store, **other)
    monkeypatch.setattr(remote_lease, "EXPIRE_S", 5.0)
    renewal = threading.Timer(0.1, write_foreign_lease, (store, 1), other)
    renewal.start()
    lease, holder = acquire_lease(store, "evaluation")
    renewal.join()
    assert lease is None
    assert holder.endswith("modelling")


def test_a_run_that_lost_its_lease_uploads_and_deletes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    root = open_mirror(store.address, tmp_path).root
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None
    write_json(root / "before.json", {})
    write_foreign_lease(store)
    time.sleep(0.3)
    with pytest.raises(LeaseLostError):
        write_json(root / "after.json", {})
    with pytest.raises(LeaseLostError):
        open_mirror(store.address, tmp_path).remove(root / "before.json")
    lease.release()
    assert {one.name for one in store.list()} == {"before.json", LEASE}
    write_json(root / "after.json", {})  # a process of no run, or of the next one
    assert store.stat("after.json") is not None


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_worker_of_an_earlier_run_uploads_nothing(store: ObjectStore, tmp_path: Path, is_deleted: bool) -> None:
    root = open_mirror(store.address, tmp_path).root
    earlier, _ = acquire_lease(store, "modelling")
    assert earlier is not None
    tokens, found = held_leases(), list[str]()
    earlier.release()

    def work() -> None:  # in the process of a later run, as on a machine whose workers stay
        join_leases(tokens)
        try:
            write_json(root / "late.json", {})
        except LeaseLostError as error:
            found.append(type(error).__name__)

    later = None if is_deleted else acquire_lease(store, "modelling")[0]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    os.environ.pop("POSESCOPE_LEASES", None)
    if later is not None:
        later.release()
    assert found == ["LeaseLostError"]
    assert store.stat("late.json") is None


def test_a_worker_of_the_run_uploads(store: ObjectStore, tmp_path: Path) -> None:
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None
    join_leases(held_leases())
    check_lease(store.address)
    write_json(open_mirror(store.address, tmp_path).root / "shard.json", {})
    assert store.stat("shard.json") is not None
    lease.release()
    join_leases({})
    os.environ.pop("POSESCOPE_LEASES", None)


def test_a_lease_deleted_between_the_write_and_its_check_is_lost(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None

    def write(self: ObjectStore, name: str, _: bytes) -> None:
        self.delete([name])
        raise FileNotFoundError(name)

    monkeypatch.setattr(ObjectStore, "write", write)
    time.sleep(0.2)
    with pytest.raises(LeaseLostError):
        lease.check()
    lease.release()


def test_a_renewal_under_way_does_not_write_a_released_lease(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write, began = ObjectStore.write, threading.Event()

    def write_slowly(self: ObjectStore, name: str, raw: bytes) -> None:
        began.set()
        time.sleep(0.1)
        write(self, name, raw)

    monkeypatch.setattr(ObjectStore, "write", write_slowly)
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None
    began.wait(5)
    lease.release()
    time.sleep(0.2)
    assert store.stat(LEASE) is None


def test_a_waiter_does_not_delete_the_fresh_lease_of_a_third_run(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write_foreign_lease(store)
    monkeypatch.setattr(remote_lease, "EXPIRE_S", 5.0)
    stat, fresh = ObjectStore.stat, list[str]()

    def stat_while_others_act(self: ObjectStore, name: str) -> object:
        found = stat(self, name)
        fresh.append(name)
        if len(fresh) == 3:  # the waiter has seen the lease before: its run ends, and a third run begins
            self.delete([LEASE])
            write_foreign_lease(self, token="third", what="third")
            return None
        return found

    monkeypatch.setattr(ObjectStore, "stat", stat_while_others_act)
    lease, holder = acquire_lease(store, "evaluation")
    assert lease is None
    assert holder.endswith("third")
    assert json.loads(store.read(LEASE))["token"] == "third"


def test_a_release_that_fails_is_logged(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lease, _ = acquire_lease(store, "modelling")
    assert lease is not None

    def fail(*_: object) -> None:
        raise DataError("unreachable")

    monkeypatch.setattr(ObjectStore, "delete", fail)
    lease.release()
    assert "unreachable" in caplog.text
