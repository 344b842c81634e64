"""Tests of posescope.core.object_store over two S3 servers, with faults, a killed upload and a killed server."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from tests.cluster.fault_proxy import FaultProxy, Faults
from tests.cluster.s3_servers import S3Server

from posescope.core.mirrors import open_mirror
from posescope.core.object_store import ObjectStore, ObjectStoreError
from posescope.core.storage_file_systems import open_file_system
from posescope.core.storage_retries import Retries

pytestmark = pytest.mark.cluster

LARGE = 110 * 2**20  # two parts of 50 MB and a rest: more than one request


def noise(size_bytes: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(size_bytes)


def test_round_trip(s3_address: str, tmp_path: Path) -> None:
    store = ObjectStore(s3_address)
    assert store.list() == []
    path = tmp_path / "in.bin"
    path.write_bytes(noise(300_000))
    stored = store.upload(path, "a/b c/\u00e4#1%.npy")
    assert (stored.name, stored.size_bytes) == ("a/b c/\u00e4#1%.npy", 300_000)
    assert store.stat(stored.name) == stored
    assert store.read(stored.name) == path.read_bytes()
    assert store.download(stored.name, tmp_path / "out.bin") == stored
    assert (tmp_path / "out.bin").read_bytes() == path.read_bytes()
    store.delete([stored.name, "none"])
    assert store.stat(stored.name) is None


def test_ranges_and_empty_objects(s3_address: str) -> None:
    store = ObjectStore(s3_address)
    store.write("x", b"0123456789")
    assert store.read("x", 2, 5) == b"234"
    assert store.read("x", 8) == b"89"
    assert store.read("x", 0, 100) == b"0123456789"
    assert store.read("x", 50, 60) == b""
    assert store.write("empty", b"").size_bytes == 0
    assert store.read("empty") == b""


def test_a_new_content_is_seen_at_once(s3_address: str) -> None:
    store = ObjectStore(s3_address)
    first = store.write("x", b"1")
    assert store.read("x") == b"1"
    second = store.write("x", b"2")
    assert first.version != second.version
    assert (store.stat("x"), store.list()) == (second, [second])
    assert store.read("x") == b"2"


def test_listing(s3_address: str) -> None:
    store = ObjectStore(s3_address)
    for name in ("b", "a/2", "a/1", "a/c/3", "ab/4"):
        store.write(name, name.encode())
    assert [each.name for each in store.list()] == ["a/1", "a/2", "a/c/3", "ab/4", "b"]
    assert [each.name for each in store.list("a")] == ["a/1", "a/2", "a/c/3"]
    assert [each.name for each in store.list("a", recursive=False)] == ["a/1", "a/2"]
    assert store.folders() == ["a", "ab"]
    assert store.folders("a") == ["a/c"]
    assert store.list("none") == store.list("none", recursive=False) == []
    assert store.stat("a") is None


@pytest.mark.slow
def test_more_objects_than_one_answer_lists(moto_address: str) -> None:
    store = ObjectStore(moto_address)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: open_file_system(moto_address).pipe_file(f"{moto_address}/{number:04}", b""), range(1001)))
    assert [each.name for each in store.list()] == [f"{number:04}" for number in range(1001)]


def test_a_large_file_in_parts(rclone_address: str, tmp_path: Path) -> None:
    store = ObjectStore(rclone_address)
    (tmp_path / "in").write_bytes(noise(LARGE))
    stored = store.upload(tmp_path / "in", "x")
    assert store.download("x", tmp_path / "out") == stored
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()


def test_one_of_many_creators_succeeds(moto_address: str) -> None:
    stores = [ObjectStore(moto_address) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda pair: pair[1].create("lease", str(pair[0]).encode()), enumerate(stores)))
    assert sorted(results) == [False] * 7 + [True]
    assert stores[0].read("lease") == str(results.index(True)).encode()


def test_create_writes_once(s3_address: str) -> None:
    store = ObjectStore(s3_address)
    assert store.create("lease", b"1")
    assert not store.create("lease", b"2")
    assert store.read("lease") == b"1"


def test_read_many(s3_address: str) -> None:
    store = ObjectStore(s3_address)
    names = [f"{number:02}" for number in range(20)]
    for name in names:
        store.write(name, noise(2000, int(name)))
    found = list(store.read_many([*names, "none"]))
    assert found[:-1] == [(name, noise(2000, int(name))) for name in names]
    assert isinstance(found[-1][1], FileNotFoundError)


@pytest.mark.parametrize("action", ["read", "list", "folders", "stat", "write"])
def test_a_wrong_bucket_is_one_line_at_once(action: str, s3_address: str) -> None:
    store = ObjectStore("s3://no-such-bucket-here/x")
    started = time.monotonic()
    with pytest.raises(ObjectStoreError, match="bucket"):
        getattr(store, action)(*(("x", b"1") if action == "write" else ("x",)))
    assert time.monotonic() - started < 3


def _wrong_secret(rclone: S3Server) -> dict[str, str]:
    return {name: value.replace("not-a-secret", "wrong-secret") for name, value in rclone.environment().items()}


def test_a_wrong_secret_is_one_line_at_once(rclone_address: str, rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSESCOPE_STORAGE_OPTIONS", _wrong_secret(rclone)["POSESCOPE_STORAGE_OPTIONS"])
    started = time.monotonic()
    with pytest.raises(ObjectStoreError, match="credentials") as caught:
        ObjectStore(rclone_address).read("x")
    assert time.monotonic() - started < 3
    assert "wrong-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def _read_in_child(store: ObjectStore) -> bytes:
    return store.read("x")


def test_child_processes_use_connections_of_their_own(moto_address: str) -> None:
    store = ObjectStore(moto_address)
    store.write("x", b"1")
    assert pickle.loads(pickle.dumps(store)).read("x") == b"1"
    with get_context("fork").Pool(2) as pool:
        assert pool.map(_read_in_child, [store] * 4) == [b"1"] * 4
    assert store.read("x") == b"1"


def test_objects_survive_a_bad_network(faulty: FaultProxy, faulty_address: str, tmp_path: Path) -> None:
    faulty.faults = Faults(busy=0.1, lost_request=0.1, lost_answer=0.1, lost_body=0.2, shortened=0.25, most=2)
    store = ObjectStore(faulty_address, Retries(first_wait_s=0.02))
    for number in range(8):
        (tmp_path / "in").write_bytes(noise(20_000, number))
        store.upload(tmp_path / "in", f"folder/{number:02}")
    assert [each.size_bytes for each in store.list("folder")] == [20_000] * 8
    for number in range(8):
        store.download(f"folder/{number:02}", tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == noise(20_000, number)
    store.delete([f"folder/{number:02}" for number in range(8)])
    assert store.list() == []
    assert set(faulty.faults.happened) == {"busy", "lost_request", "lost_answer", "lost_body", "shortened"}


def test_read_many_over_a_bad_network(faulty: FaultProxy, faulty_address: str) -> None:
    store = ObjectStore(faulty_address, Retries(first_wait_s=0.02))
    names = [f"{number:02}" for number in range(40)]
    for name in names:
        store.write(name, noise(20_000, int(name)))
    # A body that is shortened with its declared length cannot be known from the answer to a single GET.
    faulty.faults = Faults(busy=0.2, lost_request=0.1, lost_body=0.2, most=2)
    assert list(store.read_many(names, in_flight=8)) == [(name, noise(20_000, int(name))) for name in names]
    assert faulty.faults.happened["lost_body"] > 0


def test_a_server_that_stays_busy_is_one_line(faulty: FaultProxy, faulty_address: str, tmp_path: Path) -> None:
    faulty.faults = Faults(busy=1.0, most=1000)
    store = ObjectStore(faulty_address, Retries(attempts=2, first_wait_s=0.02))
    with pytest.raises(ObjectStoreError, match="2 attempts"):
        store.download("x", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
    started = time.monotonic()
    faulty.faults = Faults(lost_request=1.0, most=1000)
    with pytest.raises(ObjectStoreError, match="5 attempts"):
        ObjectStore(faulty_address).read("x")
    assert time.monotonic() - started < 20


def test_many_requests_hide_the_latency(faulty: FaultProxy, faulty_address: str) -> None:
    store = ObjectStore(faulty_address)
    names = [f"{number:02}" for number in range(32)]
    for name in names:
        store.write(name, b"1")
    faulty.faults = Faults(latency_s=0.05)
    started = time.monotonic()
    assert len(list(store.read_many(names, in_flight=16))) == 32
    assert time.monotonic() - started < 0.5 * 32 * 0.05


UPLOAD = """
import sys
from pathlib import Path
from posescope.core.mirrors import open_mirror
from posescope.core.object_store import ObjectStore
ObjectStore(sys.argv[1]).upload(Path(sys.argv[2]), "x")
"""


def test_a_killed_upload_leaves_the_former_object(faulty: FaultProxy, faulty_address: str, tmp_path: Path) -> None:
    store = ObjectStore(faulty_address)
    former = store.write("x", b"former")
    (tmp_path / "in").write_bytes(noise(LARGE))
    faulty.faults = Faults(latency_s=1.0)  # each part is answered late
    child = subprocess.Popen([sys.executable, "-c", UPLOAD, faulty_address, str(tmp_path / "in")], env=dict(os.environ))
    deadline = time.monotonic() + 30
    while not any("partNumber" in request for request in list(faulty.faults.seen)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert any("partNumber" in request for request in faulty.faults.seen)
    child.send_signal(signal.SIGKILL)
    child.wait()
    faulty.faults = Faults()
    assert store.stat("x") == former
    assert store.list() == [former]
    assert store.read("x") == b"former"


def test_a_server_that_is_killed_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = S3Server("rclone", tmp_path / "rclone")
    server.start()
    try:
        server.make_bucket("bucket")
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        store = ObjectStore("s3://bucket/run")
        store.write("x", b"1")
        server.kill()
        timer = threading.Timer(1.0, server.start)
        timer.start()
        assert store.read("x") == b"1"
        timer.join()
    finally:
        server.kill()


def test_a_disk_with_latency(slow_address: str, tmp_path: Path) -> None:
    store = ObjectStore(slow_address)
    started = time.monotonic()
    store.write("a/x", b"1")
    assert time.monotonic() - started >= 0.04
    assert [each.name for each in store.list()] == ["a/x"]
    assert store.read("a/x") == b"1"
    code = "import sys; from posescope.core.object_store import ObjectStore; print(ObjectStore(sys.argv[1]).read('a/x'))"
    child = subprocess.run([sys.executable, "-c", code, slow_address], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert child.stdout == "b'1'\n"


def test_a_folder_of_a_mirror_is_removed(s3_address: str, tmp_path: Path) -> None:
    mirror = open_mirror(s3_address, tmp_path)
    for name in ("grids/run/epoch_0001.png", "grids/run/finished.json", "grids/other.json"):
        (mirror.root / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror.root / name).write_text("{}")
        mirror.publish(mirror.root / name)
    mirror.remove(mirror.root / "grids/run")
    assert [one.name for one in mirror.store.list()] == ["grids/other.json"]
    assert not (mirror.root / "grids/run").exists()
    mirror.remove(mirror.root / "grids/absent")
