"""Tests of posescope.data.crops.crop_store: finished shards, reading and damaged files."""

import pickle

import numpy as np
import pytest
import xxhash

from posescope.core.errors import DataError
from posescope.core.files import read_json, write_json
from posescope.core.records import PoseTargets
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.shard_writer import ImageFacts, ShardRecord

IMAGES = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
FAILURE = (9, "image cannot be decoded", "a.png: cannot be decoded")
IMAGE = ImageFacts("train/b.png", "0" * 32, 6, 40, 30)


def write(store, name, images, person_ids, failures=()):
    """Write a shard of crops of 2 x 2 px and of failures."""
    with store.shard_writer(name, "f0", len(person_ids) + len(failures), crop_size=(2, 2)) as writer:
        for image, person in zip(images, person_ids, strict=True):
            writer.append(person, image, (1, 2, person), 4)
        writer.add_image(IMAGE)
        for person, kind, message in failures:
            writer.add_failure((person,), kind, message)


# The targets contain more persons than the crops, in another order.
TARGETS = PoseTargets(np.array([3, 5, 7, 8, 9]), np.arange(20, dtype=np.float32).reshape(5, 2, 2), np.full((5, 2), 2, np.uint8))


@pytest.fixture
def store(tmp_path):
    store = CropStore(tmp_path / "crops")
    store.begin()
    write(store, "shard-00000", IMAGES[:2], (7, 3), [FAILURE])
    write(store, "shard-00001", IMAGES[2:], (5, 8))
    store.finish(["shard-00000", "shard-00001"])
    return store


def test_records_round_trip_with_their_checksums(store):
    digests = tuple(xxhash.xxh3_128_hexdigest(image.tobytes()) for image in IMAGES)
    assert (
        store.records()
        == [
            ShardRecord(
                name="shard-00000",
                fingerprint="f0",
                person_ids=(7, 3),
                rgb_sums=((1, 2, 7), (1, 2, 3)),
                pixel_counts=(4, 4),
                failures=(FAILURE,),
                size_bytes=128 + 24,  # a header, and two crops of 2 x 2 x 3 bytes
                row_digests=digests[:2],
                images=(IMAGE,),
            ),
            ShardRecord(
                name="shard-00001",
                fingerprint="f0",
                person_ids=(5, 8),
                rgb_sums=((1, 2, 5), (1, 2, 8)),
                pixel_counts=(4, 4),
                failures=(),
                size_bytes=128 + 24,
                row_digests=digests[2:],
                images=(IMAGE,),
            ),
        ]
    )
    assert store.record("shard-00001") == store.records()[1]
    assert store.person_ids().tolist() == [3, 5, 7, 8]


@pytest.mark.parametrize("count", [0, 1, 9, 99, 12_345])
def test_shard_equals_a_numpy_file_for_any_number_of_failures(tmp_path, count):
    store = CropStore(tmp_path)
    with store.shard_writer("shard-00000", "f0", count, crop_size=(2, 2)) as writer:
        writer.append(1, IMAGES[0], (0, 0, 0), 0)
    np.testing.assert_array_equal(np.load(tmp_path / "shard-00000.npy"), IMAGES[:1])
    np.save(tmp_path / "plain.npy", IMAGES[:1])
    assert (tmp_path / "shard-00000.npy").read_bytes() == (tmp_path / "plain.npy").read_bytes()


def write_interrupted_shard(store, error):
    """Start a shard and raise an error after its first crop."""
    with store.shard_writer("shard-00001", "f0", 2, crop_size=(2, 2)) as writer:
        writer.append(5, IMAGES[0], (0, 0, 0), 0)
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("the disk is full")], ids=["interrupted", "disk full"])
def test_interrupted_shard_is_not_finished(store, error):
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else DataError, match=r"full|^$"):
        write_interrupted_shard(store, error)
    assert store.finished_shard("shard-00001", "f0") is None
    assert [path.name for path in store.root.iterdir() if "tmp" in path.name] == []


def test_select_keeps_the_requested_order(store):
    found = store.select(TARGETS, np.array([8, 3, 7]))
    assert found.targets.person_ids.tolist() == [8, 3, 7]
    # Rows of TARGETS: 8 is row 3, 3 is row 0, 7 is row 2. Rows of IMAGES: 7, 3, 5, 8 are rows 0, 1, 2, 3.
    np.testing.assert_array_equal(found.targets.joints, TARGETS.joints[[3, 0, 2]])
    np.testing.assert_array_equal(found.read_images(np.arange(3)), IMAGES[[3, 1, 0]])


def test_select_omits_persons_without_crop(store):
    found = store.select(TARGETS, np.array([9, 5, 100]))
    assert found.targets.person_ids.tolist() == [5]
    np.testing.assert_array_equal(found.read_images(np.array([0])), IMAGES[[2]])


@pytest.mark.parametrize("person_ids", [[], [9]])
def test_selecting_no_persons_gives_an_empty_set(store, person_ids):
    found = store.select(TARGETS, np.array(person_ids, dtype=np.int64))
    assert (len(found), found.targets.joints.shape, found.locations.shape, found.crop_size) == (0, (0, 2, 2), (0, 2), (2, 2))


def test_crops_without_targets_are_refused(store):
    with pytest.raises(DataError, match="Person 7"):
        store.select(PoseTargets(TARGETS.person_ids[:2], TARGETS.joints[:2], TARGETS.visibility[:2]), np.array([3, 7]))


def test_empty_shard_can_be_written_and_read(store):
    write(store, "shard-00002", IMAGES[:0], (), [FAILURE])
    store.finish(["shard-00000", "shard-00001", "shard-00002"])
    assert len(store.select(TARGETS, np.array([3]))) == 1


def test_shard_is_finished_only_with_the_same_fingerprint(store):
    done = store.finished_shard("shard-00001", "f0")
    assert done is not None
    assert done.person_ids == (5, 8)
    assert store.finished_shard("shard-00001", "f1") is None
    assert store.finished_shard("shard-00009", "f0") is None


def test_shard_with_failures_is_not_finished(store):
    assert store.record("shard-00000").failures
    assert store.finished_shard("shard-00000", "f0") is None


@pytest.mark.parametrize("change", [{"row_digests": []}, {"row_digests": None, "sha256": ""}, {"failures": [[1, "old"]]}, None])
def test_shard_with_a_record_of_another_version_is_not_finished(store, change):
    path = store.root / "shard-00001.json"
    changed = {} if change is None else read_json(path) | change
    write_json(path, {key: value for key, value in changed.items() if value is not None})
    assert store.finished_shard("shard-00001", "f0") is None


def test_shard_with_a_truncated_record_is_not_finished(store):
    path = store.root / "shard-00001.json"
    path.write_bytes(path.read_bytes()[:40])
    assert store.finished_shard("shard-00001", "f0") is None


def test_changed_pixels_are_detected_by_size_or_checksum(store):
    path, content = store.root / "shard-00001.npy", (store.root / "shard-00001.npy").read_bytes()
    path.write_bytes(content[:-1])
    assert store.finished_shard("shard-00001", "f0") is None
    path.write_bytes(content[:-1] + b"?")
    assert store.finished_shard("shard-00001", "f0") is None
    path.write_bytes(b"?" * len(content))
    assert store.finished_shard("shard-00001", "f0") is None
    path.write_bytes(content)
    assert store.finished_shard("shard-00001", "f0") is not None


def test_finishing_removes_files_of_killed_processes(store):
    for name in (".shard-00001.123.tmp.npy", ".shard-00001.123.tmp.json", ".crops.9.tmp.json"):
        (store.root / name).write_bytes(b"partial")
    (store.root / ".other.tmp").write_bytes(b"of another program")
    store.finish(["shard-00000", "shard-00001"])
    expected = [".other.tmp", "crops.json", "shard-00000.json", "shard-00000.npy", "shard-00001.json", "shard-00001.npy"]
    assert sorted(path.name for path in store.root.iterdir()) == expected


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_shard_with_one_missing_file_is_not_finished(store, suffix):
    (store.root / f"shard-00001{suffix}").unlink()
    assert store.finished_shard("shard-00001", "f0") is None


def test_store_is_not_finished_after_begin(store):
    assert store.is_finished()
    store.begin()
    assert not store.is_finished()
    assert store.finished_shard("shard-00001", "f0") is not None  # finished shards are still valid


def test_finishing_removes_other_shards(store):
    store.finish(["shard-00001"])
    assert sorted(path.name for path in store.root.iterdir()) == ["crops.json", "shard-00001.json", "shard-00001.npy"]
    assert store.select(TARGETS, np.array([5, 7])).targets.person_ids.tolist() == [5]


@pytest.mark.parametrize("read_something", [lambda store: store.records(), lambda store: store.recipe])
def test_unfinished_store_is_refused(tmp_path, read_something):
    with pytest.raises(DataError, match="finished"):
        read_something(CropStore(tmp_path / "crops"))


def test_selecting_from_an_unfinished_store_is_refused(store):
    store.begin()
    with pytest.raises(DataError, match="finished"):
        store.select(TARGETS, np.array([3]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
    ],
    ids=["missing", "empty", "truncated"],
)
def test_shard_of_another_size_is_refused_before_reading(store, damage):
    damage(store.root / "shard-00001.npy")
    with pytest.raises(DataError, match=r"shard-00001\.npy"):
        store.select(TARGETS, np.array([3]))


def invert_bytes(path, start, stop):
    raw = bytearray(path.read_bytes())
    raw[start:stop] = bytes(255 - value for value in raw[start:stop])
    path.write_bytes(raw)


def test_changed_crop_is_refused_on_its_first_read(store):
    invert_bytes(store.root / "shard-00001.npy", 128 + 12 + 3, 128 + 12 + 4)  # one byte of the second row, person 8
    found = store.select(TARGETS, np.array([5, 7, 8]))
    np.testing.assert_array_equal(found.read_images(np.array([0, 1])), IMAGES[[2, 0]])
    for rows in ([2], [0, 1, 2]):
        with pytest.raises(DataError, match="crop 1"):
            found.read_images(np.array(rows))


def test_shard_with_a_damaged_header_is_refused(store):
    invert_bytes(store.root / "shard-00001.npy", 0, 4)
    with pytest.raises(DataError, match="NumPy"):
        store.select(TARGETS, np.array([5])).read_images(np.array([0]))


def test_shard_truncated_after_opening_is_refused(store):
    found = store.select(TARGETS, np.array([5, 8]))
    found.read_images(np.array([0]))
    with (store.root / "shard-00001.npy").open("r+b") as stream:
        stream.truncate(128 + 12 + 5)
    with pytest.raises(DataError, match="crop 1"):
        found.read_images(np.array([1]))


@pytest.mark.parametrize("name", ["shard-00000.json", "crops.json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("[7", "[6", 1).replace("shard-00001", "shard-00002"),
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: "null",
    ],
    ids=["changed", "truncated", "list", "empty", "null"],
)
def test_changed_record_is_refused(store, name, change):
    path = store.root / name
    path.write_text(change(path.read_text()))
    for read_something in (store.records, store.person_ids, lambda: store.select(TARGETS, np.array([3]))):
        with pytest.raises(DataError, match=name):
            read_something()


def test_shard_of_another_run_is_refused(store, tmp_path):
    other = CropStore(tmp_path / "other")
    write(other, "shard-00001", IMAGES[2:] + 1, (5, 8))
    for suffix in (".npy", ".json"):
        (store.root / f"shard-00001{suffix}").write_bytes((other.root / f"shard-00001{suffix}").read_bytes())
    with pytest.raises(DataError, match=r"shard-00001\.json"):
        store.select(TARGETS, np.array([3]))


def test_unpickled_set_reads_and_verifies_crops(store):
    found = store.select(TARGETS, np.array([3, 8]))
    received = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(received.read_images(np.arange(2)), IMAGES[[1, 3]])
    invert_bytes(store.root / "shard-00001.npy", 128 + 12, 128 + 24)
    with pytest.raises(DataError, match="crop 1"):
        pickle.loads(pickle.dumps(found)).read_images(np.array([1]))


def test_store_has_a_crop_size(store, tmp_path):
    assert store.crop_size == (2, 2)
    empty = CropStore(tmp_path / "empty")
    empty.begin()
    empty.finish([])
    assert empty.crop_size == (1, 1)
