"""The folder of crops: what counts as done, what is read back, what is refused."""

from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pytest

from posescope.crops.store import CropStore, ShardRecord
from posescope.errors import DataError
from posescope.files import read_json, sha256_of, write_json
from posescope.records import PoseTargets

IMAGES = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
RECORD = ShardRecord(
    name="shard-00000",
    fingerprint="f0",
    person_ids=(7, 3),
    rgb_sums=((1, 2, 3), (4, 5, 6)),
    pixel_counts=(4, 3),
    failures=((9, "a.png: cannot be decoded"),),
    sha256="",
)
OTHER = replace(RECORD, name="shard-00001", person_ids=(5, 8), failures=())
# The targets know more persons than have crops, in an order of their own.
TARGETS = PoseTargets(np.array([3, 5, 7, 8, 9]), np.arange(20, dtype=np.float32).reshape(5, 2, 2), np.full((5, 2), 2, np.uint8))


@pytest.fixture
def store(tmp_path):
    store = CropStore(tmp_path / "crops")
    store.begin()
    store.write_shard(IMAGES[:2], RECORD)
    store.write_shard(IMAGES[2:], OTHER)
    store.finish(["shard-00000", "shard-00001"], "whole")
    return store


def test_records_round_trip_with_their_checksum(store):
    pixels = store.root / "shard-00000.npy"
    digests = [blake2b(image.tobytes(), digest_size=8).hexdigest() for image in IMAGES]
    assert store.records() == [
        replace(RECORD, sha256=sha256_of(pixels), row_digests=tuple(digests[:2])),
        replace(OTHER, sha256=sha256_of(store.root / "shard-00001.npy"), row_digests=tuple(digests[2:])),
    ]
    assert store.record("shard-00001") == store.records()[1]
    assert store.person_ids().tolist() == [3, 5, 7, 8]
    assert store.fingerprint == "whole"


def test_select_keeps_the_order_asked_for(store):
    found = store.select(TARGETS, np.array([8, 3, 7]))
    assert found.targets.person_ids.tolist() == [8, 3, 7]
    # Rows of TARGETS: 8 is row 3, 3 is row 0, 7 is row 2. Rows of IMAGES: 7, 3, 5, 8 are rows 0, 1, 2, 3.
    np.testing.assert_array_equal(found.targets.joints, TARGETS.joints[[3, 0, 2]])
    np.testing.assert_array_equal(found.read_images(np.arange(3)), IMAGES[[3, 1, 0]])


def test_select_leaves_out_who_has_no_crop(store):
    found = store.select(TARGETS, np.array([9, 5, 100]))
    assert found.targets.person_ids.tolist() == [5]
    np.testing.assert_array_equal(found.read_images(np.array([0])), IMAGES[[2]])


@pytest.mark.parametrize("wanted", [[], [9]])
def test_select_of_nobody_is_empty(store, wanted):
    found = store.select(TARGETS, np.array(wanted, dtype=np.int64))
    assert (len(found), found.targets.joints.shape, found.places.shape, found.crop_size) == (0, (0, 2, 2), (0, 2), (2, 2))


def test_shards_are_memory_mapped_and_read_only(store):
    shard = store.select(TARGETS, np.array([3])).shards[0]
    assert isinstance(shard, np.memmap)
    assert not shard.flags.writeable


def test_crops_without_targets_are_of_another_run(store):
    with pytest.raises(DataError, match="Person 7 has a crop but no targets"):
        store.select(PoseTargets(TARGETS.person_ids[:2], TARGETS.joints[:2], TARGETS.visibility[:2]), np.array([3, 7]))


def test_an_empty_shard_can_be_written_and_read(store):
    empty = replace(RECORD, name="shard-00002", person_ids=(), rgb_sums=(), pixel_counts=())
    store.write_shard(IMAGES[:0], empty)
    store.finish(["shard-00000", "shard-00001", "shard-00002"], "whole")
    assert len(store.select(TARGETS, np.array([3]))) == 1


def test_a_shard_is_done_only_if_it_was_made_from_the_same(store):
    done = store.done_shard("shard-00001", "f0")
    assert done is not None
    assert done.person_ids == (5, 8)
    assert store.done_shard("shard-00001", "f1") is None
    assert store.done_shard("shard-00009", "f0") is None


def test_a_shard_with_failures_is_not_done(store):
    assert store.record("shard-00000").failures
    assert store.done_shard("shard-00000", "f0") is None


def test_a_shard_without_digests_is_not_done(store):
    path = store.root / "shard-00001.json"
    write_json(path, {key: value for key, value in read_json(path).items() if key != "row_digests"})
    assert store.done_shard("shard-00001", "f0") is None


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_half_a_shard_is_not_done(store, suffix):
    (store.root / f"shard-00001{suffix}").unlink()
    assert store.done_shard("shard-00001", "f0") is None


def test_a_shard_whose_pixels_could_not_be_written_is_not_done(store, monkeypatch):
    def fail(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="full"):
        store.write_shard(IMAGES[2:], OTHER)
    assert store.done_shard("shard-00001", "f0") is None


def test_a_store_is_not_finished_while_it_is_filled(store):
    assert store.is_finished()
    store.begin()
    assert not store.is_finished()
    assert store.done_shard("shard-00001", "f0") is not None  # yet what is done stays done


def test_finishing_removes_other_shards(store):
    store.finish(["shard-00001"], "smaller")
    assert sorted(path.name for path in store.root.iterdir()) == ["crops.json", "shard-00001.json", "shard-00001.npy"]
    assert store.select(TARGETS, np.array([5, 7])).targets.person_ids.tolist() == [5]


@pytest.mark.parametrize("ask", [lambda store: store.records(), lambda store: store.fingerprint])
def test_an_unfinished_store_is_refused(tmp_path, ask):
    with pytest.raises(DataError, match=r"crops: the crops are not finished; run the pipeline data_engineering"):
        ask(CropStore(tmp_path / "crops"))


def test_selecting_from_an_unfinished_store_is_refused(store):
    store.begin()
    with pytest.raises(DataError, match="not finished"):
        store.select(TARGETS, np.array([3]))


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
    ],
    ids=["missing", "empty", "cut short"],
)
def test_a_damaged_shard_is_named(store, harm):
    harm(store.root / "shard-00001.npy")
    with pytest.raises(DataError, match=r"shard-00001\.npy: this shard cannot be opened .* run the pipeline"):
        store.select(TARGETS, np.array([3]))
