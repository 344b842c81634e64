"""Tests of posescope.core.reader_locks: readers beside a run in another process, on the memory file system of fsspec."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest

from posescope.core.data_folder import DataFolder
from posescope.core.errors import DataError
from posescope.core.files import write_json
from posescope.core.mirrors import fetch, fetch_address, open_mirror, publish, remove_local
from posescope.core.object_store import ObjectStore, StoredObject
from posescope.core.reader_locks import RunState, shutting_out_readers, watching_runs

HOLD = """
import fcntl, sys, time
handle = open(sys.argv[1], "a")
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder in another process, as a run does."""
    with subprocess.Popen([sys.executable, "-S", "-c", HOLD, str(folder / ".lock")], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            yield
        finally:
            other.kill()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mirror with an object that is not here, a changed file and a new file."""
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path))
    system = fsspec.filesystem("memory")
    system.store.clear()
    root = open_mirror("memory://bucket/run").root
    for name in ("there.json", "changed.json"):
        write_json(root / "a" / name, {})
    remove_local(root / "a/there.json")
    for name in ("changed.json", "new.jsonl"):
        (root / "a" / name).write_text("not uploaded")
    yield root
    system.store.clear()


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if not any(part.startswith(".") for part in path.relative_to(root).parts))


@pytest.mark.parametrize("address", ["memory://bucket/run", "memory://bucket/run/a"])
def test_nothing_is_fetched_beside_a_run(mirror: Path, address: str) -> None:
    with running(mirror):
        fetch_address(address)
        assert names(mirror) == ["a", "changed.json", "new.jsonl"]
        assert (mirror / "a/changed.json").read_text() == "not uploaded"
        assert fetch_address("memory://bucket/run/a/changed.json").read_text() == "not uploaded"
        with pytest.raises(DataError, match=r"there\.json"):
            fetch_address("memory://bucket/run/a/there.json")
        (mirror / "empty").mkdir()
        with pytest.raises(DataError, match="POSESCOPE_CACHE_DIR"):
            fetch_address("memory://bucket/run/empty")


def test_the_object_store_decides_without_a_run(mirror: Path) -> None:
    fetch_address("memory://bucket/run")
    assert names(mirror) == ["a", "changed.json", "there.json"]
    assert (mirror / "a/changed.json").read_text() != "not uploaded"


def check_kept(mirror: Path) -> None:
    assert names(mirror) == ["a", "changed.json", "new.jsonl", "there.json"]
    assert (mirror / "a/changed.json").read_text() == "not uploaded"
    assert (mirror / "a/new.jsonl").read_text() == "not uploaded"


def test_a_run_keeps_its_own_files_when_it_fetches(mirror: Path) -> None:
    held = DataFolder(mirror).acquire_lock("test")
    fetch_address("memory://bucket/run")
    held.release()
    check_kept(mirror)


def test_files_of_a_worker_of_a_run_elsewhere_are_kept(mirror: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/bucket/run/.lease.json", b"{}")
    fetch_address("memory://bucket/run")
    check_kept(mirror)


def test_what_is_uploaded_after_the_listing_is_kept(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ObjectStore.list

    def list_early(store: ObjectStore, prefix: str = "") -> list[StoredObject]:
        found = listed(store, prefix)
        publish(mirror / "a/new.jsonl")
        return found

    monkeypatch.setattr(ObjectStore, "list", list_early)
    fetch(mirror, keeps_unsent=True)
    check_kept(mirror)


def test_a_reader_of_the_parent_folder_keeps_the_files_of_a_run(mirror: Path) -> None:
    with running(mirror):
        fetch_address("memory://bucket")
    check_kept(mirror)


def test_files_that_are_not_uploaded_are_kept_without_locks(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    fetch_address("memory://bucket/run")
    check_kept(mirror)


def test_a_run_waits_for_readers_and_readers_do_not_exclude_each_other(mirror: Path) -> None:
    started = threading.Event()

    def start() -> None:
        with shutting_out_readers(mirror):
            started.set()

    with watching_runs(mirror) as first, watching_runs(mirror) as second:
        assert (first, second) == (RunState.NONE, RunState.NONE)
        run = threading.Thread(target=start)
        run.start()
        assert not started.wait(0.2)
    run.join(10)
    assert started.is_set()


def test_a_reader_does_not_refuse_a_run(mirror: Path) -> None:
    DataFolder(mirror).acquire_lock("first").release()
    with watching_runs(mirror) as state:
        assert state is RunState.NONE
    DataFolder(mirror).acquire_lock("second").release()
