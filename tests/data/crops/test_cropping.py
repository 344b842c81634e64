"""Tests of posescope.data.crops.cropping: pixels for any number of processes, resumption and failures."""

import errno
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.core.tables import Issues
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops import cropping
from posescope.data.crops.crop_boxes import targets_in_crops
from posescope.data.crops.crop_resampling import crop_box
from posescope.data.crops.crop_statistics import mean_rgb
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.images.decoding import read_bytes, read_image
from posescope.data.images.limits import ImageError


def crops_of(cut):
    """Return the crops of a finished store as {person_id: crop}."""
    crops = cut.store.select(targets_in_crops(cut.crop_boxes, cut.keypoints), cut.persons["person_id"].to_numpy())
    images = crops.read_images(np.arange(len(crops)))
    return dict(zip(crops.targets.person_ids.tolist(), images, strict=True))


def modification_times(store):
    return {path.name: path.stat().st_mtime_ns for path in store.root.glob("shard-*")}


def rewritten_shards(before, after):
    """Return the names of the shards whose pixels were written in between."""
    return sorted(name for name, time in after.items() if name.endswith(".npy") and before.get(name) != time)


def test_crops_equal_direct_cropping(tiny_coco, cut):
    found = cut(tiny_coco.root)
    crops = crops_of(found)
    assert sorted(crops) == list(range(7))
    for person, box in zip(found.persons.itertuples(), found.crop_boxes.itertuples(), strict=True):
        image = read_image(tiny_coco.image_file(person.source_split, person.file_name))
        expected = crop_box(image, box.left, box.top, (box.side, box.side), (32, 32), found.options.padding_rgb)
        np.testing.assert_array_equal(crops[person.person_id], expected)
    assert len(Issues.validate(found.issues)) == 0
    assert found.store.is_finished()


def test_a_shard_that_a_late_worker_of_an_earlier_run_replaced_is_an_error(tiny_coco, cut, monkeypatch):
    write_shards = cropping._write_shards

    def write_and_lose(tasks, store, options):
        write_shards(tasks, store, options)
        write_shards([replace(tasks[-1], fingerprint="former")], store, options)

    with monkeypatch.context() as patched:
        patched.setattr(cropping, "_write_shards", write_and_lose)
        with pytest.raises(DataError, match="run the same command again"):
            cut(tiny_coco.root)
    found = cut(tiny_coco.root)
    assert found.store.is_finished()
    assert "former" not in {record.fingerprint for record in found.store.records()}


def test_shards_contain_all_persons_of_an_image(tiny_coco, cut):
    records = cut(tiny_coco.root, shard_persons=2).store.records()
    # train: one.png has persons 0 and 1, two.png person 2, three.png person 3; val: one.png has person 4, two.png 5 and 6.
    assert [record.person_ids for record in records] == [(0, 1), (2, 3), (4, 5, 6)]
    assert [record.name for record in records] == ["shard-00000", "shard-00001", "shard-00002"]


def test_crops_are_independent_of_shards_and_workers(tiny_coco, cut):
    one = cut(tiny_coco.root, workers=1)
    expected = {path.name: path.read_bytes() for path in one.store.root.iterdir()}
    for path in one.store.root.iterdir():
        path.unlink()
    two = cut(tiny_coco.root, workers=2)
    assert {path.name: path.read_bytes() for path in two.store.root.iterdir()} == expected
    other_shards = cut(tiny_coco.root, shard_persons=100)
    assert [record.person_ids for record in other_shards.store.records()] == [tuple(range(7))]
    expected_crops = crops_of(other_shards)
    assert all(np.array_equal(crop, expected_crops[person]) for person, crop in crops_of(cut(tiny_coco.root)).items())


def test_second_call_writes_no_shard(tiny_coco, cut):
    before = modification_times(cut(tiny_coco.root).store)
    after = modification_times(cut(tiny_coco.root, workers=2).store)
    assert after == before
    assert len(before) == 6


@pytest.mark.parametrize(
    "change",
    [{"size_px": 16}, {"rule": "centred_square"}, {"rule_options": {"margin": 0.2}}, {"padding_rgb": (0, 0, 0)}],
)
def test_changed_options_rewrite_all_shards(tiny_coco, cut, change):
    first = cut(tiny_coco.root)
    before, seals = modification_times(first.store), read_json(first.store.root / "crops.json")["seals"]
    second = cut(tiny_coco.root, **change)
    assert rewritten_shards(before, modification_times(second.store)) == ["shard-00000.npy", "shard-00001.npy", "shard-00002.npy"]
    assert read_json(second.store.root / "crops.json")["seals"] != seals
    assert crops_of(second)[0].shape == (second.options.size_px,) * 2 + (3,)


def test_changed_image_rewrites_its_shard(tiny_coco, cut):
    before = modification_times(cut(tiny_coco.root).store)
    tiny_coco.write_image("train2017", "three.png", np.full((100, 90, 3), (9, 8, 7), np.uint8))
    found = cut(tiny_coco.root)
    assert rewritten_shards(before, modification_times(found.store)) == ["shard-00001.npy"]
    assert (crops_of(found)[3][16, 16] == (9, 8, 7)).all()


def test_image_with_a_new_modification_time_rewrites_its_shard(tiny_coco, cut):
    before = modification_times(cut(tiny_coco.root).store)
    image = tiny_coco.image_file("val2017", "one.png")
    os.utime(image, ns=(0, image.stat().st_mtime_ns + 1_000_000))
    assert rewritten_shards(before, modification_times(cut(tiny_coco.root).store)) == ["shard-00002.npy"]


@pytest.mark.parametrize("missing", ["shard-00001.npy", "shard-00001.json"])
def test_only_the_missing_shard_is_rewritten(tiny_coco, cut, missing):
    first = cut(tiny_coco.root)
    before, pixels = modification_times(first.store), (first.store.root / "shard-00001.npy").read_bytes()
    (first.store.root / missing).unlink()
    assert rewritten_shards(before, modification_times(cut(tiny_coco.root).store)) == ["shard-00001.npy"]
    assert (first.store.root / "shard-00001.npy").read_bytes() == pixels


def test_surplus_shards_of_an_earlier_run_are_removed(tiny_coco, cut):
    cut(tiny_coco.root, shard_persons=1)
    found = cut(tiny_coco.root, shard_persons=100)
    assert sorted(path.name for path in found.store.root.iterdir()) == ["crops.json", "shard-00000.json", "shard-00000.npy"]


def test_killed_run_is_unfinished_and_resumes(tiny_coco, cut, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CropStore, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cut(tiny_coco.root)
    store = CropStore(tmp_path / "crops")
    assert not store.is_finished()
    before = modification_times(store)
    assert modification_times(cut(tiny_coco.root).store) == before
    assert store.is_finished()


def overwrite_with_text(path):
    path.write_bytes(b"no image")


@pytest.mark.parametrize("damage", [overwrite_with_text, lambda path: path.unlink()], ids=["no image", "removed after reading"])
@pytest.mark.parametrize("shard_persons", [1, 100])
def test_unreadable_image_is_an_issue_and_the_others_are_cropped(tiny_coco, cut, tmp_path, damage, shard_persons):
    first = cut(tiny_coco.root)
    damage(tiny_coco.image_file("train2017", "one.png"))
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    options = first.options.model_copy(update={"shard_persons": shard_persons})
    store = CropStore(tmp_path / "again")
    issues = write_crops(folder, source, first.persons, first.crop_boxes, store, options, FailureLimits(max_fraction=1))
    assert issues["annotation_id"].tolist() == [1, 2]
    assert set(issues["step"]) == {"crop"}
    assert set(issues["reason"]) <= {"image cannot be decoded", "image cannot be read", "image file is missing"}
    assert issues["detail"].str.contains(r"one\.png").all()
    crops = store.select(targets_in_crops(first.crop_boxes, first.keypoints), np.arange(7))
    assert crops.targets.person_ids.tolist() == [2, 3, 4, 5, 6]
    images = crops.read_images(np.arange(5))
    expected = crops_of(first)
    assert all(np.array_equal(image, expected[person]) for person, image in zip(range(2, 7), images, strict=True))


def test_corrected_image_size_adds_the_person_again(tiny_coco, cut):
    # A padded crop box is independent of the image size, so that only the size itself differs.
    tiny_coco.change("train2017", lambda content: content["images"][2].update(height=101))
    broken = cut(tiny_coco.root)
    assert broken.issues["detail"].str.contains(r"\(101, 90\)").tolist() == [True]
    tiny_coco.change("train2017", lambda content: content["images"][2].update(height=100))
    repaired = cut(tiny_coco.root)
    assert len(repaired.issues) == 0
    assert len(crops_of(repaired)) == 7


def test_temporary_failure_is_retried(tiny_coco, cut, monkeypatch):
    def fail(path, limits, stored_bytes):
        if path.name == "three.png":
            raise ImageError("image cannot be read", "the disk is not mounted")
        return read_bytes(path, limits)

    with monkeypatch.context() as patch:
        patch.setattr("posescope.data.images.stored_images.read_bytes", fail)
        broken = cut(tiny_coco.root)
    assert broken.issues["annotation_id"].tolist() == [4]
    before = modification_times(broken.store)
    again = cut(tiny_coco.root)
    assert rewritten_shards(before, modification_times(again.store)) == ["shard-00001.npy"]
    assert len(again.issues) == 0
    assert len(crops_of(again)) == 7


def test_data_set_without_readable_images_is_refused(tiny_coco, cut, tmp_path):
    for path in tiny_coco.root.glob("*2017/*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"\.png"):
        cut(tiny_coco.root)  # although all images may fail
    assert not CropStore(tmp_path / "crops").is_finished()


def test_too_many_failures_stop_the_run_with_a_summary(tiny_coco, cut, tmp_path):
    overwrite_with_text(tiny_coco.image_file("train2017", "one.png"))
    tiny_coco.write_image("train2017", "two.png", np.zeros((50, 71, 3), np.uint8))
    with pytest.raises(DataError) as caught:
        cut(tiny_coco.root, max_fraction=0.4)
    first, *reasons = str(caught.value).splitlines()
    assert first.startswith("crop: 3 of 7")
    assert "data_engineering.failures.max_fraction" in first
    assert reasons[0].startswith("  2 x image cannot be decoded; the first: ")
    assert reasons[1].startswith("  1 x image has another size; the first: ")
    assert "two.png" in reasons[1]
    store = CropStore(tmp_path / "crops")
    assert not store.is_finished()
    before = modification_times(store)
    # Finished shards are kept: with a higher limit, only the shards with failures are written again.
    assert rewritten_shards(before, modification_times(cut(tiny_coco.root, max_fraction=3 / 7).store)) == [
        "shard-00000.npy",
        "shard-00001.npy",
    ]


def test_shard_changed_after_a_killed_run_is_written_again(tiny_coco, cut):
    first = cut(tiny_coco.root)
    path = first.store.root / "shard-00001.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (first.store.root / "crops.json").unlink()
    cut(tiny_coco.root)
    assert path.read_bytes() == content


def test_replaced_image_of_the_same_name_and_time_is_cropped_again(tiny_coco, cut):
    """The file name of the annotation is part of the fingerprint: two folders can have files of the same name, size and time."""
    for folder, colour in (("a", 10), ("b", 200)):
        path = tiny_coco.root / "train2017" / folder / "x.bmp"
        tiny_coco.write_image("train2017", f"{folder}/x.bmp", np.full((60, 80, 3), colour, np.uint8))
        os.utime(path, ns=(0, 0))
    tiny_coco.change("train2017", lambda content: content["images"][0].update(file_name="a/x.bmp"))
    assert crops_of(cut(tiny_coco.root))[0][16, 16, 0] == 10
    tiny_coco.change("train2017", lambda content: content["images"][0].update(file_name="b/x.bmp"))
    assert crops_of(cut(tiny_coco.root))[0][16, 16, 0] == 200


def test_incomplete_write_is_an_error(tiny_coco, cut, tmp_path, monkeypatch):
    class Short(io.FileIO):
        def write(self, content):
            return super().write(memoryview(content)[:-1])

    opened = Path.open

    def open_short(path, *mode, **options):
        return Short(path, "w") if options.get("buffering") == 0 else opened(path, *mode, **options)

    monkeypatch.setattr(Path, "open", open_short)
    with pytest.raises(DataError, match="2976"):
        cut(tiny_coco.root)
    assert not CropStore(tmp_path / "crops").is_finished()


def test_crops_are_written_without_preallocation(tiny_coco, cut, monkeypatch):
    expected = crops_of(cut(tiny_coco.root))

    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    again = crops_of(cut(tiny_coco.root, shard_persons=1))
    assert all(np.array_equal(again[person], expected[person]) for person in expected)


def test_shards_of_another_engine_version_are_rewritten(tiny_coco, cut, monkeypatch):
    before = modification_times(cut(tiny_coco.root).store)
    monkeypatch.setattr("posescope.data.crops.shard_plan.ENGINE_VERSION", 99)
    assert len(rewritten_shards(before, modification_times(cut(tiny_coco.root).store))) == 3


def test_store_of_no_persons_is_empty(tiny_coco, cut):
    for split in ("train2017", "val2017"):
        tiny_coco.change(split, lambda content: content.update(annotations=[]))
    found = cut(tiny_coco.root)
    assert (found.store.records(), len(found.issues)) == ([], 0)
    with pytest.raises(DataError, match="training"):
        mean_rgb(found.store, np.arange(3))


COLOUR = (200, 100, 50)


@pytest.mark.parametrize("size_px", [16, 32, 77, 100])
def test_mean_rgb_is_independent_of_the_padding(tiny_coco, cut, size_px):
    for path in tiny_coco.root.glob("*2017/*.png"):
        tiny_coco.write_image(path.parent.name, path.name, np.full(read_image(path).shape, COLOUR, np.uint8))
    found = cut(tiny_coco.root, size_px=size_px, rule_options={"margin": 1.0}, padding_rgb=(0, 255, 0))
    boxes = found.crop_boxes
    assert ((boxes["left"] < 0) | (boxes["top"] < 0)).any()  # some crop boxes extend beyond the image
    assert mean_rgb(found.store, np.arange(7)) == pytest.approx([value / 255 for value in COLOUR], abs=1e-12)


def test_all_pixels_of_a_crop_inside_the_image_are_valid(tiny_coco, cut):
    # In floating point, 49 * (32 / 49) is less than 32.
    far_inside = tiny_coco.person(4, 3, (20, 25, 49, 49), [(24, 28, 2), (44, 49, 2), (64, 70, 2)])
    tiny_coco.change("train2017", lambda content: content["annotations"].__setitem__(3, far_inside))
    found = cut(tiny_coco.root, rule_options={"margin": 0})
    assert found.crop_boxes["side"][3] == 49
    assert found.store.records()[1].pixel_counts[1] == 32 * 32


def test_mean_rgb_by_hand(tiny_coco, cut):
    found = cut(tiny_coco.root, rule="centred_square")  # no crop has padding
    crops = crops_of(found)
    expected = np.mean([crops[person] for person in (0, 3)], axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(mean_rgb(found.store, np.array([3, 0])), expected, rtol=1e-12)


def test_mean_rgb_of_unknown_persons_is_an_error(tiny_coco, cut):
    with pytest.raises(DataError, match="training"):
        mean_rgb(cut(tiny_coco.root).store, np.array([99]))


@pytest.mark.parametrize("size_px", [(48, 32), (64, 96)])
def test_crops_that_are_not_square(tiny_coco, cut, size_px):
    found = cut(tiny_coco.root, rule="top_down", size_px=size_px)
    assert found.store.crop_size == size_px
    crops, folder = crops_of(found), CocoFolder(tiny_coco.root)
    assert len(crops) == 7
    files = found.persons.set_index("person_id")
    for box in found.crop_boxes.itertuples():
        record = files.loc[box.person_id]
        image = read_image(folder.image_folder(SourceOptions(), record["source_split"]) / record["file_name"])
        expected = crop_box(image, box.left, box.top, (box.height, box.width), size_px, found.options.padding_rgb)
        np.testing.assert_array_equal(crops[box.person_id], expected)


@pytest.mark.parametrize("size_px", [(24, 16), (33, 77), (128, 96)])
def test_mean_rgb_of_crops_that_are_not_square_is_independent_of_the_padding(tiny_coco, cut, size_px):
    for path in tiny_coco.root.glob("*2017/*.png"):
        tiny_coco.write_image(path.parent.name, path.name, np.full(read_image(path).shape, COLOUR, np.uint8))
    found = cut(tiny_coco.root, rule="top_down", size_px=size_px, rule_options={"padding": 2}, padding_rgb=(0, 255, 0))
    assert (found.crop_boxes["left"] < 0).any()
    assert mean_rgb(found.store, np.arange(7)) == pytest.approx([value / 255 for value in COLOUR], abs=1e-12)


def test_crops_of_another_shape_rewrite_all_shards(tiny_coco, cut):
    before = modification_times(cut(tiny_coco.root, rule="top_down", size_px=(48, 32)).store)
    after = modification_times(cut(tiny_coco.root, rule="top_down", size_px=(32, 48)).store)
    assert len(rewritten_shards(before, after)) == 3
