"""Tests of posescope.data.crops.image_checks: orientations, duplicate images and persons."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from posescope.core.errors import DataError
from posescope.core.tables import DataQuality
from posescope.data.coco.folder import SourceOptions
from posescope.data.coco.sources import NamedSource, SourceList
from posescope.data.crops.image_checks import check_images, image_quality_table
from posescope.data.crops.shard_writer import ImageFacts, ShardRecord


def shard_record(images, crops):
    """Return a record of images (name, digest, orientation, height, width) and crops (person id, digest)."""
    return ShardRecord(
        name="shard-00000",
        fingerprint="f",
        person_ids=tuple(person for person, _ in crops),
        rgb_sums=((0, 0, 0),) * len(crops),
        pixel_counts=(1,) * len(crops),
        failures=(),
        size_bytes=0,
        row_digests=tuple(digest for _, digest in crops),
        images=tuple(ImageFacts(*facts) for facts in images),
    )


def person_table(*rows):
    """Return the columns person_id, source_split, file_name and split of persons."""
    return pd.DataFrame(rows, columns=["person_id", "source_split", "file_name", "split"])


def summary(findings):
    return [(finding.check, finding.split, finding.records, finding.total) for finding in findings]


PLAIN = [("a/1.jpg", "d1", 1, 40, 60), ("a/2.jpg", "d2", 1, 40, 60), ("b/1.jpg", "d3", 1, 40, 60)]
THREE = person_table((0, "a", "1.jpg", "train"), (1, "a", "2.jpg", "test"), (2, "b", "1.jpg", "val"))


def test_different_upright_images_have_no_finding():
    assert check_images([shard_record(PLAIN, [(0, "c0"), (1, "c1"), (2, "c2")])], THREE, SourceOptions()) == []


def test_no_persons_have_no_finding():
    assert check_images([], person_table(), SourceOptions()) == []


def test_duplicate_files_across_and_within_splits_are_separate_findings():
    images = [("a/1.jpg", "x", 1, 4, 6), ("a/2.jpg", "x", 1, 4, 6), ("b/1.jpg", "y", 1, 4, 6), ("b/2.jpg", "y", 1, 4, 6)]
    persons = person_table(
        (0, "a", "1.jpg", "train"), (1, "a", "2.jpg", "test"), (2, "b", "1.jpg", "val"), (3, "b", "2.jpg", "val")
    )
    crops = [(0, "c0"), (1, "c0"), (2, "c2"), (3, "c3")]
    found = check_images([shard_record(images[:2], crops[:2]), shard_record(images[2:], crops[2:])], persons, SourceOptions())
    assert summary(found) == [("images_in_two_splits", "a", 2, 4), ("duplicate_images", "b", 2, 4)]
    assert "'a/1.jpg' = 'a/2.jpg'" in found[0].detail
    assert {finding.severity for finding in found} == {"warned"}


def test_same_pixels_in_different_files_are_found_by_their_crops():
    found = check_images([shard_record(PLAIN, [(0, "same"), (1, "other"), (2, "same")])], THREE, SourceOptions())
    assert summary(found) == [("persons_in_two_splits", "all", 2, 3)]
    assert "'a/1.jpg person 0' = 'b/1.jpg person 2'" in found[0].detail
    # Two records of one image are not reported here, because the annotation checks report them.
    twice = person_table((0, "a", "1.jpg", "train"), (1, "a", "1.jpg", "train"), (2, "b", "1.jpg", "val"))
    assert check_images([shard_record(PLAIN[::2], [(0, "same"), (1, "same"), (2, "c")])], twice, SourceOptions()) == []


def test_orientations_are_counted_by_their_effect_on_the_size():
    images = [("a/1.jpg", "d1", 3, 40, 60), ("a/2.jpg", "d2", 6, 40, 60), ("b/1.jpg", "d3", 6, 50, 50)]
    shard = shard_record(images, [(0, "c0"), (1, "c1"), (2, "c2")])
    (finding,) = check_images([shard], THREE, SourceOptions())
    assert summary([finding]) == [("exif_orientation", "all", 3, 3)]
    assert "'a/1.jpg': 3" in finding.detail
    assert "2 of them" in finding.detail, "the image rotated by 180 degrees, and the square image"
    assert "data_engineering.source.orientation" in finding.remedy
    assert check_images([shard], THREE, SourceOptions(orientation="upright")) == []


def test_long_lists_of_duplicates_are_shortened():
    images = [(f"a/{number}.jpg", f"d{number // 2}", 1, 4, 4) for number in range(10)]
    persons = person_table(*((number, "a", f"{number}.jpg", "train") for number in range(10)))
    (finding,) = check_images([shard_record(images, [(n, f"c{n}") for n in range(10)])], persons, SourceOptions())
    assert finding.records == 10
    assert "'a/4.jpg' = 'a/5.jpg', and 2 more" in finding.detail


def test_copies_and_other_encodings_are_found_in_a_data_set(tiny_coco, cut, caplog):
    """One validation image is a copy of a training file, another one has the same pixels in another encoding."""
    shutil.copy(tiny_coco.image_file("train2017", "one.png"), tiny_coco.image_file("val2017", "one.png"))
    tiny_coco.change("val2017", lambda content: content["annotations"][0].update(tiny_coco.read("train2017")["annotations"][0]))
    two = cv2.imread(str(tiny_coco.image_file("train2017", "two.png")))
    assert cv2.imwrite(str(tiny_coco.image_file("val2017", "two.png")), two, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    same = {"bbox": [20, 5, 30, 40], "keypoints": [35, 10, 1, 25, 40, 2, 0, 0, 0]}
    tiny_coco.change("val2017", lambda content: content["annotations"][1].update(same))
    found = cut(tiny_coco.root)
    table = DataQuality.validate(image_quality_table(found.store, found.persons, SourceOptions()))
    assert table[["check", "records"]].values.tolist() == [["images_in_two_splits", 2], ["persons_in_two_splits", 2]]
    assert "'train2017/one.png' = 'val2017/one.png'" in caplog.text
    again = cut(tiny_coco.root)  # no image is read again; the records contain the digests
    pd.testing.assert_frame_equal(table, image_quality_table(again.store, again.persons, SourceOptions()))


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_rotated_files_with_labels_of_the_upright_images(tiny_coco, cut, caplog, orientation):
    """With `orientation: upright`, rotated files with labels of the upright images have the same crops as the plain files."""
    plain = cut(tiny_coco.root)
    expected = [np.array(np.load(path)) for path in sorted(plain.store.root.glob("*.npy"))]
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            6: Image.Transpose.ROTATE_90}  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    for path in tiny_coco.root.glob("*/*.png"):
        with Image.open(path) as image:
            rotated = image.transpose(undo[orientation])
        rotated.save(path, exif=exif)
    options = SourceOptions(orientation="upright")
    upright = cut(tiny_coco.root, source=options)
    assert len(upright.issues) == len(image_quality_table(upright.store, upright.persons, options)) == 0
    for shard, path in zip(expected, sorted(upright.store.root.glob("*.npy")), strict=True):
        np.testing.assert_array_equal(np.load(path), shard)
    if orientation == 6:  # the sizes differ, and the message names the option
        with pytest.raises(DataError, match="upright"):
            cut(tiny_coco.root)
    else:
        stored = cut(tiny_coco.root)
        image_quality_table(stored.store, stored.persons, SourceOptions())
        assert "exif_orientation" in caplog.text
        assert "'train2017/one.png': " in caplog.text
        shards = zip(expected, sorted(stored.store.root.glob("*.npy")), strict=True)
        assert any((np.load(path) != shard).any() for shard, path in shards)


def test_only_sources_with_labels_in_stored_pixels_are_warned_about_rotated_images():
    images = [("a/t/1.jpg", "d1", 6, 40, 60), ("b/t/1.jpg", "d2", 6, 40, 60)]
    persons = person_table((0, "a/t", "1.jpg", "train"), (1, "b/t", "1.jpg", "train"))
    records = [shard_record(images, [(0, "c0"), (1, "c1")])]
    frames = {"a": "upright", "b": "stored"}
    sources = SourceList(tuple(NamedSource(name=name, raw_dir=name, orientation=frame) for name, frame in frames.items()))
    (finding,) = check_images(records, persons, SourceOptions(orientation="upright"), sources)
    assert (finding.check, finding.records, finding.total) == ("exif_orientation", 1, 2)
    assert "'b/t/1.jpg'" in finding.detail
