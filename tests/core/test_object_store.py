"""Tests of posescope.core.object_store: contents, listings and errors on memory, a local disk and a file system with faults."""

import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from posescope.core.errors import OptionsError
from posescope.core.object_store import ObjectStore, ObjectStoreError, StoredObject
from posescope.core.storage_retries import Retries

QUICK = Retries(first_wait_s=0.0)


class FaultyFileSystem(MemoryFileSystem):
    """A memory file system whose next calls fail, lose bytes or take time."""

    protocol = "faulty"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    faults: ClassVar[list[Exception | str]] = []
    delay_s = 0.0
    running = 0
    most_running = 0
    lock = threading.Lock()

    def _next_fault(self) -> Exception | str | None:
        with self.lock:
            return self.faults.pop(0) if self.faults else None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("faulty://").strip("/")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        cls = type(self)
        with self.lock:
            cls.running += 1
            cls.most_running = max(cls.most_running, cls.running)
        try:
            time.sleep(self.delay_s)
            fault = self._next_fault()
            if isinstance(fault, Exception):
                raise fault
            return super().cat_file(path, start=start, end=end, **kwargs)
        finally:
            with self.lock:
                cls.running -= 1

    def get_file(self, rpath: str, lpath: str, **kwargs: Any) -> None:
        fault = self._next_fault()
        if isinstance(fault, Exception):
            raise fault
        content = super().cat_file(rpath)
        Path(lpath).write_bytes(content[:-1] if fault == "truncate" else content)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        fault = self._next_fault()
        if isinstance(fault, Exception):
            raise fault
        super().pipe_file(path, value[:-1] if fault == "truncate" else value, mode=mode, **kwargs)
        if fault == "lose the answer":
            raise ConnectionResetError("lost")


@pytest.fixture
def faulty() -> Iterator[type[FaultyFileSystem]]:
    fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
    FaultyFileSystem.store.clear()
    FaultyFileSystem.faults, FaultyFileSystem.delay_s, FaultyFileSystem.most_running = [], 0.0, 0
    yield FaultyFileSystem
    FaultyFileSystem.store.clear()


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return ObjectStore(f"{request.param}://{tmp_path}/run", QUICK)


def test_round_trip(store: ObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "in.bin"
    path.write_bytes(bytes(range(100)))
    stored = store.upload(path, "a/b.bin")
    assert (stored.name, stored.size_bytes) == ("a/b.bin", 100)
    assert store.stat("a/b.bin") == stored
    assert store.read("a/b.bin") == bytes(range(100))
    assert store.download("a/b.bin", tmp_path / "new/out.bin") == stored
    assert (tmp_path / "new/out.bin").read_bytes() == bytes(range(100))
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["out.bin"]


def test_ranges(store: ObjectStore) -> None:
    store.write("x", b"0123456789")
    assert store.read("x", 2, 5) == b"234"
    assert store.read("x", 8) == b"89"
    assert store.read("x", None, 2) == b"01"
    assert store.read("x", 8, 20) == b"89"
    assert store.read("x", 50) == b""
    assert store.read("x", 5, 5) == b""


def test_a_new_content_has_a_new_version(store: ObjectStore) -> None:
    first = store.write("x", b"1")
    second = store.write("x", b"2")
    assert first.size_bytes == second.size_bytes == 1
    assert first.version != second.version
    assert store.read("x") == b"2"


def test_names_with_special_characters(store: ObjectStore) -> None:
    name = "a b/#100%/\u00e4 \u4eba+=&.npy"
    store.write(name, b"1")
    assert [each.name for each in store.list()] == [name]
    assert store.read(name) == b"1"


def test_listing(store: ObjectStore) -> None:
    for name in ("b", "a/2", "a/1", "a/c/3", "ab/4"):
        store.write(name, name.encode())
    assert [each.name for each in store.list()] == ["a/1", "a/2", "a/c/3", "ab/4", "b"]
    assert [each.name for each in store.list("a")] == ["a/1", "a/2", "a/c/3"]
    assert [each.name for each in store.list("a", recursive=False)] == ["a/1", "a/2"]
    assert [each.name for each in store.list(recursive=False)] == ["b"]
    assert store.folders() == ["a", "ab"]
    assert store.folders("a") == ["a/c"]
    assert store.list("a")[0] == store.stat("a/1")


def test_an_empty_or_absent_folder(store: ObjectStore) -> None:
    assert store.list() == []
    assert store.list("none", recursive=False) == []
    assert store.folders("none") == []
    store.write("x", b"")
    assert store.list("x") == []  # an object is no folder
    assert store.stat("x") == store.list()[0]
    assert store.read("x") == b""


def test_absent_objects(store: ObjectStore, tmp_path: Path) -> None:
    store.write("a/b", b"1")
    assert store.stat("none") is None
    assert store.stat("a") is None
    with pytest.raises(FileNotFoundError):
        store.read("none")
    with pytest.raises(FileNotFoundError):
        store.download("none", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError):
        store.upload(tmp_path / "none", "x")


def test_create_writes_once(store: ObjectStore) -> None:
    assert store.create("a/lease", b"1")
    assert not store.create("a/lease", b"2")
    assert store.read("a/lease") == b"1"


def test_one_of_many_creators_succeeds(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ObjectStore, "stat", lambda *_: None)  # all ask before the first one writes
    assert [store.create("lease", str(number).encode()) for number in range(3)] == [True, False, False]


def test_delete(store: ObjectStore) -> None:
    for name in ("a", "b", "c/d"):
        store.write(name, b"1")
    store.delete(["a", "none", "c/d"])
    assert [each.name for each in store.list()] == ["b"]
    store.delete([])


def test_unfinished_files_of_a_local_disk_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".x.1.23.tmp").write_bytes(b"1")
    (tmp_path / "x.tmp").write_bytes(b"1")
    assert [each.name for each in ObjectStore(f"file://{tmp_path}").list()] == ["x.tmp"]


def test_read_many_is_in_order_with_errors_in_place(store: ObjectStore) -> None:
    store.write("a", b"1")
    store.write("b", b"2")
    found = list(store.read_many(["b", "none", "a", "b"], in_flight=2))
    assert [name for name, _ in found] == ["b", "none", "a", "b"]
    assert [content for _, content in found if isinstance(content, bytes)] == [b"2", b"1", b"2"]
    assert isinstance(found[1][1], FileNotFoundError)
    assert list(store.read_many([])) == []


def test_read_many_bounds_the_requests(faulty: type[FaultyFileSystem]) -> None:
    store = ObjectStore("faulty://run", QUICK)
    names = [f"{number:02}" for number in range(16)]
    for name in names:
        store.write(name, name.encode())
    faulty.delay_s = 0.01
    assert list(store.read_many(iter(names), in_flight=4)) == [(name, name.encode()) for name in names]
    assert faulty.most_running == 4


def test_leaving_read_many_early_stops_its_requests(faulty: type[FaultyFileSystem]) -> None:
    store = ObjectStore("faulty://run", QUICK)
    store.write("x", b"1")
    asked: list[str] = []

    def names() -> Iterator[str]:
        for _ in range(100):
            asked.append("x")
            yield "x"

    contents = store.read_many(names(), in_flight=3)
    assert next(contents) == ("x", b"1")
    contents.close()  # type: ignore[attr-defined]
    assert len(asked) == 3
    assert faulty.running == 0


def test_failed_reads_are_repeated(faulty: type[FaultyFileSystem], tmp_path: Path) -> None:
    store = ObjectStore("faulty://run", QUICK)
    store.write("x", b"12")
    faulty.faults = [ConnectionResetError("lost"), TimeoutError()]
    assert store.read("x") == b"12"
    faulty.faults = ["truncate", OSError("broken"), "truncate"]
    store.download("x", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"12"
    assert faulty.faults == []


def test_a_truncated_upload_is_repeated(faulty: type[FaultyFileSystem]) -> None:
    faulty.faults = ["truncate", "lose the answer"]
    store = ObjectStore("faulty://run", QUICK)
    assert store.write("x", b"12").size_bytes == 2
    assert store.read("x") == b"12"


def test_an_object_that_stays_truncated_leaves_the_old_file(faulty: type[FaultyFileSystem], tmp_path: Path) -> None:
    store = ObjectStore("faulty://run", QUICK)
    store.write("x", b"12")
    (tmp_path / "x").write_bytes(b"old")
    faulty.faults = ["truncate"] * 5
    with pytest.raises(ObjectStoreError, match="faulty://run/x"):
        store.download("x", tmp_path / "x")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old")]


def test_create_knows_its_own_object_after_a_lost_answer(faulty: type[FaultyFileSystem]) -> None:
    store = ObjectStore("faulty://run", QUICK)
    faulty.faults = ["lose the answer"]
    assert store.create("lease", b"mine")
    faulty.faults = [ConnectionResetError("lost")]
    assert not store.create("lease", b"another")


def test_refused_access_is_not_repeated(faulty: type[FaultyFileSystem]) -> None:
    faulty.faults = [PermissionError("no"), PermissionError("no")]
    with pytest.raises(ObjectStoreError, match="credentials"):
        ObjectStore("faulty://run", QUICK).write("x", b"")
    assert len(faulty.faults) == 1


def test_addresses_are_normalised_and_pickled() -> None:
    store = ObjectStore("memory://bucket/run//")
    assert store.address == "memory://bucket/run"
    assert pickle.loads(pickle.dumps(store)) == store
    with pytest.raises(OptionsError):
        ObjectStore("bucket/run")


def test_an_object_states_its_fields() -> None:
    assert StoredObject("a", 1, "v") == StoredObject(name="a", size_bytes=1, version="v")


def test_an_object_with_the_name_of_a_folder_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = ObjectStore(f"file://{tmp_path}")
    infos = [{"name": f"{tmp_path}/{name}", "type": "file", "size": 1} for name in ("x", "x/y", "xy", "z/../a", "x.json")]
    monkeypatch.setattr(ObjectStore, "_entries", lambda *_: infos)
    assert [found.name for found in store.list()] == ["x.json", "x/y", "xy"]
    assert f"{tmp_path}/x:" in caplog.text
