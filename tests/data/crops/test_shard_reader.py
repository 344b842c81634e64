"""Tests of posescope.data.crops.shard_reader: order, threads, sizes and open files."""

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.mirrors import fetch_file, open_mirror, publish
from posescope.core.object_store import ObjectStore
from posescope.data.crops import shard_reader
from posescope.data.crops.shard_reader import ShardReader
from posescope.data.crops.shard_writer import digest_bytes_of


def make_reader(folder: Path, count: int, side: int = 2) -> tuple[ShardReader, np.ndarray]:
    """Return a reader of `count` shards with two crops each, and all crops (count, 2, side, side, 3)."""
    crops = np.random.default_rng(0).integers(0, 256, (count, 2, side, side, 3), dtype=np.uint8)
    paths = [folder / f"shard-{number:05d}.npy" for number in range(count)]
    for path, shard in zip(paths, crops, strict=True):
        np.save(path, shard)
    digests = [np.frombuffer(b"".join(map(digest_bytes_of, shard)), np.uint8).reshape(-1, 16) for shard in crops]
    return ShardReader(paths, digests), crops


def test_crops_are_read_in_the_order_of_the_locations(tmp_path):
    reader, crops = make_reader(tmp_path, 3)
    locations = np.array([[2, 1], [0, 0], [2, 1], [1, 0]])
    images = np.zeros((4, 2, 2, 3), np.uint8)
    reader.read_into(images, locations)
    np.testing.assert_array_equal(images, crops[locations[:, 0], locations[:, 1]])
    assert (len(reader), reader.crop_size) == (3, (2, 2))


def test_reading_ahead_changes_no_crop_and_names_a_missing_shard(tmp_path):
    reader, crops = make_reader(tmp_path, 3)
    reader.read_ahead([0, 2])
    images = np.zeros((1, 2, 2, 3), np.uint8)
    reader.read_into(images, np.array([[2, 1]]))
    np.testing.assert_array_equal(images[0], crops[2, 1])
    (tmp_path / "shard-00001.npy").unlink()
    with pytest.raises(DataError, match="shard-00001"):
        reader.read_ahead([1])


def test_verification_reads_every_crop(tmp_path):
    reader, crops = make_reader(tmp_path, 3)
    reader.verify()
    np.save(tmp_path / "shard-00002.npy", crops[2, ::-1])
    with pytest.raises(DataError, match="crop 0"):
        ShardReader(reader.paths, reader.digests).verify()


@pytest.mark.parametrize("side", [2, 3], ids=["other pixels", "other shape"])
def test_the_copy_of_an_earlier_run_is_fetched_anew(tmp_path: Path, side: int) -> None:
    """As on the machine of a worker: only the process that sends the tasks compares the versions."""
    folder, store, (reader, crops) = stored_shards(tmp_path)
    write_former_copy(folder, store, side)
    images = np.zeros((2, 2, 2, 3), np.uint8)
    assert reader.crop_size == (2, 2)
    reader.read_into(images, np.array([[0, 1], [0, 0]]))
    np.testing.assert_array_equal(images, crops[0, ::-1])


def test_another_shard_in_the_store_is_an_error(tmp_path: Path) -> None:
    folder, _, (reader, crops) = stored_shards(tmp_path)
    np.save(folder / "shard-00000.npy", crops[0, ::-1])
    publish(folder / "shard-00000.npy")
    for _ in range(2):
        with pytest.raises(DataError, match="crop 0"):
            reader.verify()


def test_a_copy_that_another_process_removes_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _, (reader, crops) = stored_shards(tmp_path)
    path, fetches = folder / "shard-00000.npy", []
    path.unlink()

    def fetch_and_lose(wanted: Path) -> None:
        fetch_file(wanted)
        fetches.append(wanted)
        if len(fetches) < 7:
            path.unlink()
        if len(fetches) == 2:
            raise FileNotFoundError(path)  # it was gone before its time was noted

    monkeypatch.setattr(shard_reader, "fetch_file", fetch_and_lose)
    images = np.zeros((1, 2, 2, 3), np.uint8)
    reader.read_into(images, np.array([[0, 1]]))
    np.testing.assert_array_equal(images[0], crops[0, 1])
    assert len(fetches) == 7


def test_too_few_local_copies_are_an_error_that_names_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _, (reader, _) = stored_shards(tmp_path)
    (folder / "shard-00000.npy").unlink()
    monkeypatch.setattr(shard_reader, "fetch_file", lambda path: path.unlink(missing_ok=True))
    with pytest.raises(DataError, match=r"storage\.cache_gb"):
        reader.read_ahead([0])


def stored_shards(folder: Path, count: int = 1) -> tuple[Path, ObjectStore, tuple[ShardReader, np.ndarray]]:
    """Return the mirror, the store, and a reader of shards that were uploaded, with their crops."""
    remote = open_mirror(f"memory://{uuid.uuid4().hex}", folder)
    made = make_reader(remote.root, count)
    for path in made[0].paths:
        publish(path)
    return remote.root, remote.store, made


def write_former_copy(folder: Path, store: ObjectStore, side: int) -> None:
    """Give the mirror the copy of a former object, and what it noted then."""
    path = folder / "shard-00000.npy"
    present = path.read_bytes()
    np.save(path, np.zeros((2, side, side, 3), np.uint8))
    publish(path)
    store.write(path.name, present)


def test_empty_selection_is_read(tmp_path):
    reader, _ = make_reader(tmp_path, 1)
    reader.read_into(np.empty((0, 2, 2, 3), np.uint8), np.empty((0, 2), np.int64))
    assert ShardReader((), ()).crop_size == (1, 1)


@pytest.mark.parametrize("location", [(0, 2), (0, -1)])
def test_row_out_of_range_is_refused(tmp_path, location):
    reader, _ = make_reader(tmp_path, 1)
    with pytest.raises(IndexError):
        reader.read_into(np.empty((1, 2, 2, 3), np.uint8), np.array([location]))


def test_shards_of_different_sizes_are_refused(tmp_path):
    (tmp_path / "b").mkdir()
    reader, _ = make_reader(tmp_path, 1)
    other, _ = make_reader(tmp_path / "b", 1, side=3)
    both = ShardReader(reader.paths + other.paths, reader.digests + other.digests)
    with pytest.raises(DataError, match=r"\(3, 3, 3\)"):
        both.read_into(np.empty((1, 2, 2, 3), np.uint8), np.array([[1, 0]]))


def test_threads_share_a_reader_that_leaves_no_file_open(tmp_path):
    reader, crops = make_reader(tmp_path, 96)
    before = len(list(Path("/proc/self/fd").iterdir()))
    locations = np.random.default_rng(1).integers(0, (len(reader), 2), (2_000, 2))
    images = np.empty((2_000, 2, 2, 3), np.uint8)
    parts = [slice(k, None, 4) for k in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(reader.read_into, [images[part] for part in parts], [locations[part] for part in parts]))
    np.testing.assert_array_equal(images, crops[locations[:, 0], locations[:, 1]])
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


MANY_SHARDS = """
import resource, sys
from pathlib import Path
import numpy as np
from posescope.data.crops.crop_store import CropStore
from posescope.core.records import PoseTargets

resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
store, count = CropStore(Path(sys.argv[1])), 250
store.begin()
for number in range(count):
    with store.shard_writer(f"shard-{number:05d}", "f", 1, (2, 2)) as writer:
        writer.append(number, np.full((2, 2, 3), number, np.uint8), (0, 0, 0), 4)
store.finish([f"shard-{number:05d}" for number in range(count)])
ids = np.arange(count)
targets = PoseTargets(ids, np.zeros((count, 1, 2), np.float32), np.full((count, 1), 2, np.uint8))
sets = [store.select(targets, ids[::step]) for step in (1, 1, -1)]
assert all((chosen.read_images(np.arange(count))[:, 0, 0, 0] == chosen.targets.person_ids).all() for chosen in sets[:2])
print("read", len(sets[2].read_images(np.arange(count))))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
def test_more_shards_than_open_files_are_read(tmp_path):
    ended = subprocess.run([sys.executable, "-c", MANY_SHARDS, tmp_path / "crops"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "read 250"), ended.stderr[-2000:]
