"""Tests of posescope.data.coco.reader: annotation files are read into tables, invalid files are refused."""

import gzip
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.tables import Issues, Keypoints, Persons, joints_of
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.category import read_category
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations

TINY_DOG = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [0, 0, 9, 9], "keypoints": [3, 4, 2]}


def read(tiny_coco, **options):
    return read_annotations(CocoFolder(tiny_coco.root), SourceOptions(**options))


def test_persons_are_read_as_expected_by_hand(tiny_coco):
    found = read(tiny_coco)
    first = found.persons.iloc[0]
    # COCO's box (10, 10, 20, 30) starts at the edge of pixel 10, which is 9.5 if integers are pixel centres.
    assert first[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].tolist() == [9.5, 9.5, 20, 30]
    assert first[["image_h", "image_w", "area", "is_crowd"]].tolist() == [60, 80, 300, False]
    assert first[["split", "source_split", "file_name"]].tolist() == ["train", "train2017", "one.png"]
    Persons.validate(found.persons)
    Keypoints.validate(found.keypoints)
    assert len(found.issues) == 0


def test_keypoints_are_unchanged_and_unlabelled_ones_are_nan(tiny_coco):
    found = read(tiny_coco)
    values = joints_of(found.keypoints, np.array([0, 1]))
    np.testing.assert_array_equal(values[0], [[20, 14, 2], [14, 30, 2], [26.5, 36.25, 1]])
    np.testing.assert_array_equal(values[1], [[57, 20, 2], [np.nan, np.nan, 0], [60, 44, 2]])


def test_unlabelled_joint_with_coordinates_is_nan(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["annotations"][0].update(keypoints=[9, 9, 0, 14, 30, 2, 26, 36, 1]))
    assert np.isnan(joints_of(read(tiny_coco).keypoints, np.array([0]))[0, 0, :2]).all()


def test_person_ids_are_unique_if_annotation_ids_repeat(tiny_coco):
    persons = read(tiny_coco).persons
    assert persons["person_id"].tolist() == list(range(7))
    assert persons["annotation_id"].tolist() == [1, 2, 3, 4, 1, 2, 3]
    assert persons["split"].tolist() == ["train"] * 4 + ["val"] * 3


def test_skeleton_is_that_of_the_data_set(tiny_coco):
    skeleton = read(tiny_coco, oks_sigmas={"left_hand": 0.3}).skeleton
    assert skeleton.joints == ("nose", "left_hand", "right_hand")
    assert skeleton.limbs == ((0, 1), (0, 2))
    assert (skeleton.category_id, skeleton.oks_sigmas[1], skeleton.guessed_sigmas) == (7, 0.3, ("right_hand",))


def test_other_categories_are_ignored_without_a_warning(tiny_coco):
    dog = {"id": 50, "image_id": 1, "category_id": 3, "bbox": "not ours to judge"}
    tiny_coco.change("train2017", lambda content: content["annotations"].insert(0, dog))
    found = read(tiny_coco)
    assert (len(found.persons), len(found.issues)) == (7, 0)


def test_another_category_can_be_read(tiny_coco):
    def make_dogs(content):
        content["categories"][0] |= {"keypoints": ["snout"]}
        content["annotations"] = [TINY_DOG]

    for split in ("train2017", "val2017"):
        tiny_coco.change(split, make_dogs)
    found = read(tiny_coco, category="dog")
    assert (found.skeleton.joints, found.skeleton.category_id) == (("snout",), 3)
    assert found.keypoints[["x", "y"]].to_numpy().tolist() == [[3, 4], [3, 4]]


@pytest.mark.parametrize("area", ["absent", None, 0, 1, -1, 700])
def test_impossible_area_is_replaced_by_that_of_the_box(tiny_coco, area):
    def edit(content):
        content["annotations"][0]["area"] = area
        if area == "absent":
            del content["annotations"][0]["area"]

    tiny_coco.change("train2017", edit)
    found = read(tiny_coco)
    assert found.persons["area"][0] == np.float32(0.53 * 20 * 30)
    finding = found.quality.set_index("check").loc["areas_from_boxes"]
    assert finding[["severity", "split", "records", "fraction"]].tolist() == ["repaired", "train2017", 1, 0.25]
    issue = found.issues.iloc[0]
    assert issue[["source_split", "image_id", "annotation_id", "step", "outcome"]].tolist() == [
        "train2017", 1, 1, "read", "repaired",
    ]  # fmt: skip


@pytest.mark.parametrize("keypoints", [None, [], "absent"])
def test_person_without_keypoints_has_no_labelled_joint(tiny_coco, keypoints):
    def strip(content):
        content["annotations"][1]["keypoints"] = keypoints
        if keypoints == "absent":
            del content["annotations"][1]["keypoints"]

    tiny_coco.change("train2017", strip)
    found = read(tiny_coco)
    assert len(found.persons) == 7
    values = joints_of(found.keypoints, np.array([1]))
    assert np.isnan(values[..., :2]).all()
    assert not values[..., 2].any()


def test_image_without_persons_is_an_issue(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["annotations"].pop())
    issue = read(tiny_coco).issues.iloc[0]
    assert issue[["source_split", "image_id", "annotation_id", "file_name", "step", "reason"]].tolist() == [
        "train2017", 3, -1, "three.png", "read", "image without persons",
    ]  # fmt: skip


def test_invalid_record_is_an_issue_and_the_others_are_read(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["annotations"][1].update(bbox=[1, 2, 3]))
    found = read(tiny_coco)
    assert found.persons["annotation_id"].tolist() == [1, 3, 4, 1, 2, 3]
    assert found.persons["person_id"].tolist() == list(range(6))
    issue = found.issues.iloc[0]
    assert issue[["source_split", "image_id", "annotation_id", "step"]].tolist() == ["train2017", 1, 2, "read"]
    assert "bbox" in issue["reason"]
    assert "[1, 2, 3]" in issue["detail"]


@pytest.mark.parametrize("change", [{"bbox": None}, {"id": "four"}, {"keypoints": [1, 2]}])
def test_image_whose_only_person_is_malformed_is_reported_once(tiny_coco, change):
    tiny_coco.change("train2017", lambda content: content["annotations"][3].update(change))
    issues = read(tiny_coco).issues
    assert issues["image_id"].tolist() == [3]
    assert "image without persons" not in issues["reason"].tolist()


def test_record_without_image_id_counts_for_no_image(tiny_coco):
    def edit(content):
        content["annotations"].pop()  # the only person of image 3
        lost = {**tiny_coco.person(3, 0, (1, 1, 9, 9), [(1, 1, 2)] * 3)}
        del lost["image_id"]
        content["annotations"][2] = lost  # annotation 3, which would be the only one of image 2

    tiny_coco.change("train2017", edit)
    issues = read(tiny_coco).issues
    assert issues["image_id"].tolist() == [-1, 2, 3]
    assert issues["annotation_id"].tolist() == [3, -1, -1]


@pytest.mark.parametrize("fields", [["annotations"], ["images", "annotations"]])
def test_split_without_persons_has_empty_tables(tiny_coco, fields):
    tiny_coco.change("val2017", lambda content: content.update({field: [] for field in fields}))
    found = read(tiny_coco)
    assert found.persons["split"].tolist() == ["train"] * 4
    assert len(found.keypoints) == 4 * 3
    assert len(found.issues) == (2 if fields == ["annotations"] else 0)


def test_data_set_without_persons_has_empty_tables(tiny_coco):
    for split in ("train2017", "val2017"):
        tiny_coco.change(split, lambda content: content.update(images=[], annotations=[]))
    found = read(tiny_coco)
    for schema, table in ((Persons, found.persons), (Keypoints, found.keypoints), (Issues, found.issues)):
        assert len(schema.validate(table)) == 0


def test_gzipped_files_are_read(tiny_coco):
    expected = read(tiny_coco)
    for split in ("train2017", "val2017"):
        plain = tiny_coco.annotation_file(split)
        plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    found = read(tiny_coco)
    pd.testing.assert_frame_equal(found.persons, expected.persons)
    pd.testing.assert_frame_equal(found.keypoints, expected.keypoints)


@pytest.mark.parametrize(
    "raw",
    [b"", b'{"images": [', b"\xff\xfe\xfa", b"[" * 100_000, b'{"images": 1' + b"0" * 5000 + b"}", b"NaN NaN", b"\xef\xbb\xbf"],
)
def test_broken_json_is_named(tmp_path, raw):
    (tmp_path / "a.json").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.json") as caught:
        load_annotation_file(tmp_path / "a.json")
    assert caught.value.__cause__ is not None


BROKEN_ZIP = b"\x1f\x8bxyz"
# Without a time stamp, the bytes are the same in every process.
ZIPPED = gzip.compress(json.dumps({"images": list(range(1000))}).encode(), mtime=0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        ZIPPED[:5],
        ZIPPED[:40],
        ZIPPED[:-4],
        ZIPPED[:60] + b"\0" * 20 + ZIPPED[80:],
        gzip.compress(b"{", mtime=0),
        b"\x1f\x8bxyz",
    ],
    ids=["empty", "not_zipped", "head", "cut_early", "cut_late", "zeros_within", "not_json_within", "bad_head"],
)
def test_broken_zip_is_named(tmp_path, raw):
    (tmp_path / "a.json.gz").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.json\.gz"):
        load_annotation_file(tmp_path / "a.json.gz")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"missing\.json"):
        load_annotation_file(tmp_path / "missing.json")


@pytest.mark.parametrize("field", ["images", "annotations", "categories"])
def test_missing_list_is_named_with_its_file(tiny_coco, field):
    tiny_coco.change("val2017", lambda content: content.pop(field))
    with pytest.raises(DataError, match=field):
        read(tiny_coco)


@pytest.mark.parametrize("found", [{}, "x", 5, None, True])
@pytest.mark.parametrize("field", ["images", "annotations", "categories"])
def test_list_of_another_type_is_named(tiny_coco, field, found):
    tiny_coco.change("train2017", lambda content: content.update({field: found}))
    with pytest.raises(DataError, match=field):
        read(tiny_coco)


@pytest.mark.parametrize("content", [[], "x", 5, None, float("nan"), [{"images": []}]])
def test_file_of_another_structure_is_named(tiny_coco, content):
    tiny_coco.write("train2017", content)
    with pytest.raises(DataError, match=type(content).__name__):
        read(tiny_coco)


def test_file_that_cannot_be_read_is_named(tiny_coco, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="Permission"):
        read(tiny_coco)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_files_with_a_byte_order_mark_are_read(tiny_coco, encoding):
    expected = read(tiny_coco).persons
    for split in ("train2017", "val2017"):
        path = tiny_coco.annotation_file(split)
        path.write_bytes(path.read_text().encode(encoding))
    pd.testing.assert_frame_equal(read(tiny_coco).persons, expected)


def test_truncated_file_is_refused(tiny_coco):
    path = tiny_coco.annotation_file("train2017")
    raw = path.read_bytes()
    for end in range(0, len(raw), 37):
        path.write_bytes(raw[:end])
        with pytest.raises(DataError, match=r"train2017\.json"):
            load_annotation_file(path)


@pytest.mark.parametrize("name", ["größe ü 図.png", "a b  c.png", "deep/er/a b.png", "naïve’s.png"])
def test_names_of_any_script_and_with_spaces_are_read(tiny_coco, name):
    target = tiny_coco.image_file("train2017", name)
    target.parent.mkdir(parents=True, exist_ok=True)
    tiny_coco.image_file("train2017", "one.png").rename(target)
    tiny_coco.change("train2017", lambda content: content["images"][0].update(file_name=name))
    found = read(tiny_coco)
    assert found.persons["file_name"].tolist()[:2] == [name] * 2
    assert len(found.issues) == 0


def test_annotations_are_read_without_images(tiny_coco):
    expected = read(tiny_coco)
    tiny_coco.change("train2017", lambda content: content["images"][1].update(file_name="nowhere/two.png"))
    tiny_coco.change("train2017", lambda content: content["images"][2].update(file_name="../three.png"))
    for split in ("train2017", "val2017"):
        shutil.rmtree(tiny_coco.root / split)
    with pytest.raises(DataError, match="image"):
        read(tiny_coco)
    found = read(tiny_coco, images=None)
    assert found.persons["annotation_id"].tolist() == [1, 2, 3, 1, 2, 3]
    assert found.persons["file_name"].tolist()[2] == "nowhere/two.png"
    assert found.issues["reason"].tolist() == [
        "file_name leaves the image folder", "its image is missing in the file or was rejected",
    ]  # fmt: skip
    assert found.skeleton == expected.skeleton


def test_records_of_other_categories_are_counted_in_the_log(tiny_coco, caplog):
    tiny_coco.change("train2017", lambda content: content["annotations"].append(TINY_DOG))
    with caplog.at_level(logging.INFO):
        read(tiny_coco)
    assert "person_keypoints_train2017.json: 4 persons read, 0 records rejected, 1 of other categories ignored" in caplog.text


@pytest.mark.parametrize("found", ["7a", 7.5, True, None, [7], 10**30, "absent"])
def test_category_without_integer_id_is_refused(tiny_coco, found):
    def edit(content):
        content["categories"][1]["id"] = found
        if found == "absent":
            del content["categories"][1]["id"]

    tiny_coco.change("train2017", edit)
    with pytest.raises(DataError, match="integer"):
        read(tiny_coco)


@pytest.mark.parametrize("names", [None, [], {}, "nose", 3, "absent"])
def test_category_without_joint_names_is_refused(tiny_coco, names):
    def edit(content):
        content["categories"][1]["keypoints"] = names
        if names == "absent":
            del content["categories"][1]["keypoints"]

    tiny_coco.change("train2017", edit)
    with pytest.raises(DataError, match="keypoints"):
        read(tiny_coco)


@pytest.mark.parametrize(
    "names", [["nose", 1], ["nose", None], ["nose", ""], ["\ud800"], [["nose"]], [f"joint_{i}" for i in range(256)]]
)
def test_joint_names_that_are_no_text_or_too_many_are_refused(tiny_coco, names):
    tiny_coco.change("train2017", lambda content: content["categories"][1].update(keypoints=names))
    with pytest.raises(DataError, match="255"):
        read(tiny_coco)


@pytest.mark.parametrize("field", ["bbox", "file_name", "skeleton", "categories"])
def test_deep_nesting_is_refused_or_rejected(tiny_coco, field):
    ends = set()
    # Depths around Python's recursion limit, at any stack depth of this test, and far beyond.
    for depth in (*range(860, 1000, 5), 200_000):
        deep = "[" * depth + "]" * depth
        content = tiny_coco.read("val2017")
        target = {"bbox": "annotations", "file_name": "images"}.get(field, "categories")
        if field == "categories":
            content["categories"].append("DEEP")
        else:
            content[target][-1][field] = "DEEP"
        path = tiny_coco.annotation_file("train2017")
        path.write_text(json.dumps(content).replace('"DEEP"', deep))
        try:
            ends.add(len(read(tiny_coco).issues))
        except DataError:
            ends.add("DataError")
    assert "DataError" in ends


def test_deeply_nested_skeleton_is_refused(tiny_coco):
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    content = tiny_coco.read("train2017")
    content["categories"][1]["skeleton"] = [deep]
    with pytest.raises(DataError, match="nesting"):
        read_category(content, SourceOptions(), tiny_coco.annotation_file("train2017"))


def test_missing_category_is_refused_with_the_available_ones(tiny_coco):
    with pytest.raises(DataError, match="cat"):
        read(tiny_coco, category="cat")


def test_repeated_category_is_refused(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["categories"].append(content["categories"][1]))
    with pytest.raises(DataError, match="dog"):
        read(tiny_coco)


@pytest.mark.parametrize("change", [{"skeleton": [[1, 2]]}, {"id": 8}, {"keypoints": ["a", "b", "c"]}])
def test_splits_with_different_skeletons_are_refused(tiny_coco, change):
    def edit(content):
        content["categories"][1] |= change
        content["annotations"] = []

    tiny_coco.change("val2017", edit)
    with pytest.raises(DataError, match="skeleton"):
        read(tiny_coco)


@pytest.mark.real_data
def test_every_official_record_is_read(real_data):
    found = read_annotations(CocoFolder(real_data / "coco_subset"), SourceOptions())
    labelled = found.keypoints.groupby("person_id")["visibility"].max() > 0
    splits = found.persons.set_index("person_id").loc[labelled[labelled].index, "split"].value_counts()
    # The counts of the data set's description.
    assert splits.to_dict() == {"train": 298, "val": 374}
    assert set(found.issues["reason"]) <= {"image without persons"}


def test_default_sigmas_are_logged(tiny_coco, caplog):
    folder = CocoFolder(tiny_coco.root)
    guessed = read_annotations(folder, SourceOptions()).skeleton.guessed_sigmas
    assert guessed
    assert all(name in caplog.text for name in guessed)
    caplog.clear()
    read_annotations(folder, SourceOptions(oks_sigmas=dict.fromkeys(guessed, 0.1)))
    assert "guessed" not in caplog.text


def test_image_in_both_splits_is_refused(tiny_coco):
    """If the splits have one folder, an image that both list is the same file."""
    shared = SourceOptions(images="train2017")
    with pytest.raises(DataError, match=r"one\.png"):
        read_annotations(CocoFolder(tiny_coco.root), shared)
    names = {"one.png": "uno.png", "two.png": "due.png"}
    for old, new in names.items():
        tiny_coco.image_file("val2017", old).rename(tiny_coco.image_file("train2017", new))
    tiny_coco.change(
        "val2017", lambda content: [image.update(file_name=names[image["file_name"]]) for image in content["images"]]
    )
    assert len(read_annotations(CocoFolder(tiny_coco.root), shared).persons) == 7


@pytest.mark.parametrize("count", [1, 2, 68, 133])
def test_skeletons_of_any_size_without_limbs_are_read(tiny_coco, count):
    def edit(content):
        content["categories"][1] |= {"keypoints": [f"p{number}" for number in range(count)], "skeleton": []}
        for record in content["annotations"]:
            x, y = record["bbox"][0] + 5, record["bbox"][1] + 5
            record["keypoints"] = [value for number in range(count) for value in (x + 0.01 * number, y, 2)]
            record["num_keypoints"] = count

    for split in ("train2017", "val2017"):
        tiny_coco.change(split, edit)
    found = read(tiny_coco)
    assert len(found.skeleton) == count
    assert len(found.keypoints) == 7 * count
    assert set(found.quality["check"]) == {"guessed_oks_sigmas"}
