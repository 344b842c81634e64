"""Tests of posescope.data.coco.joined_annotations: several data sets read as one."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.joint_matching import joint_names_of
from posescope.core.tables import joints_of, weights_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.joined_annotations import load_truth, read_sources, read_truth
from posescope.data.coco.project_split import ProjectSplit
from posescope.data.coco.reader import read_annotations
from posescope.data.coco.sources import ID_STRIDE, NamedSource, SourceFolders, SourceList, combine_folders
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.dataset_split import sample_splits
from posescope.data.crops.image_checks import check_images
from posescope.data.crops.options import CropOptions, SplitOptions

UNREAD = SourceOptions(train_split="none", val_split="none")
OURS = ("nose", "left_hand", "right_hand", "head_top")
CROP = CropOptions(rule="padded_square", size_px=16, workers=1)
SPLIT = SplitOptions(max_test_fraction=0.34, max_calibration_fraction=0)


@pytest.fixture
def sources(tiny_coco) -> SourceList:
    """Return the tiny data set twice: as it is, and with a joint of another name in place of the nose."""
    copy = tiny_coco.root.parent / "other"
    shutil.copytree(tiny_coco.root, copy)
    for path in (copy / "annotations").glob("*.json"):
        path.write_text(path.read_text().replace('"nose"', '"top"'))
    second: dict[str, Any] = {"joints": {"top": "head_top"}, "weight": 0.5}
    return SourceList((NamedSource(name="a", raw_dir="coco"), NamedSource(name="b", raw_dir="other", **second)))


def folder_of(root: Path, sources: SourceList) -> CocoFolder:
    return combine_folders(CocoFolder(root), sources)


def test_ids_of_equal_files_do_not_collide(tmp_path, sources) -> None:
    alone = read_annotations(CocoFolder(tmp_path / "coco"), SourceOptions())
    found = read_sources(folder_of(tmp_path, sources), UNREAD).persons
    count = len(alone.persons)
    assert len(found) == 2 * count
    assert found["person_id"].tolist() == list(range(2 * count))
    for name in ("image_id", "annotation_id"):
        assert found[name].tolist() == [*alone.persons[name], *(alone.persons[name] + ID_STRIDE)]
    assert not found.duplicated(["source_split", "annotation_id"]).any()
    assert set(found["source_split"]) == {"a/train2017", "a/val2017", "b/train2017", "b/val2017"}
    assert found["source"].tolist() == ["a"] * count + ["b"] * count
    assert (found.groupby("image_id")["source"].nunique() == 1).all()


def test_joints_have_the_places_of_the_skeleton_and_the_weight_of_their_source(tmp_path, sources) -> None:
    found = read_sources(folder_of(tmp_path, sources), UNREAD)
    assert found.skeleton.joints == OURS
    assert joint_names_of(found.keypoints) == OURS
    # The first person of the training file, in both data sets: (20, 14), (14, 30) and the occluded (26.5, 36.25).
    first = [int(found.persons.loc[found.persons["source"] == name, "person_id"].iloc[0]) for name in ("a", "b")]
    hands, missing = [[14, 30, 2], [26.5, 36.25, 1]], [np.nan, np.nan, 0]
    expected = [[[20, 14, 2], *hands, missing], [missing, *hands, [20, 14, 2]]]
    np.testing.assert_array_equal(joints_of(found.keypoints, np.array(first)), expected)
    weights = weights_of(found.keypoints, np.array(first))
    assert weights is not None
    assert weights.tolist() == [[1, 1, 1, 0], [0, 0.5, 0.5, 0.5]]


def test_unlabelled_joint_of_a_source_is_not_an_absent_one(tmp_path, sources) -> None:
    found = read_sources(folder_of(tmp_path, sources), UNREAD)
    second = found.keypoints[found.keypoints["person_id"] == 1]
    # Its left hand is unlabelled; the top of the head is not annotated in this data set.
    assert second["visibility"].tolist() == [2, 0, 2, 0]
    assert second["weight"].tolist() == [1, 1, 1, 0]


def test_a_single_data_set_is_read_as_before(tiny_coco) -> None:
    folder = CocoFolder(tiny_coco.root)
    expected, found = read_annotations(folder, SourceOptions()), read_sources(folder, SourceOptions())
    for name in ("persons", "keypoints", "issues", "quality"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))
    assert "source" not in found.persons
    assert "weight" not in found.keypoints


def test_issues_have_the_ids_of_the_joined_data(tmp_path, tiny_coco, sources) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content["annotations"][0]["bbox"] = "none"
        content["annotations"][0]["keypoints"] = "none"

    content = json.loads((tmp_path / "other" / "annotations" / "person_keypoints_train2017.json").read_text())
    spoil(content)
    (tmp_path / "other" / "annotations" / "person_keypoints_train2017.json").write_text(json.dumps(content))
    issues = read_sources(folder_of(tmp_path, sources), UNREAD).issues
    (row,) = issues[issues["source_split"] == "b/train2017"].to_dict("records")
    assert (row["image_id"], row["annotation_id"]) == (1 + ID_STRIDE, 1 + ID_STRIDE)


@pytest.mark.parametrize("wrong", [-5, ID_STRIDE])
def test_ids_that_cannot_be_kept_apart_name_the_source(tmp_path, tiny_coco, sources, wrong) -> None:
    path = tmp_path / "other" / "annotations" / "person_keypoints_val2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["id"] = wrong
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"Source 'b'.*annotation_id"):
        read_sources(folder_of(tmp_path, sources), UNREAD)


def test_malformed_source_is_named(tmp_path, sources) -> None:
    (tmp_path / "other" / "annotations" / "person_keypoints_val2017.json").write_text("{}")
    with pytest.raises(DataError, match="Source 'b'"):
        read_sources(folder_of(tmp_path, sources), UNREAD)


def test_each_source_is_split_as_if_it_were_alone(tmp_path, sources, caplog) -> None:
    alone = sample_splits(read_annotations(CocoFolder(tmp_path / "coco"), SourceOptions()).persons, SPLIT)
    found = sample_splits(read_sources(folder_of(tmp_path, sources), UNREAD).persons, SPLIT, UNREAD, sources)
    assert "test" in set(alone["split"])
    assert found["split"].tolist() == 2 * alone["split"].tolist()
    limited = [
        record.getMessage().partition("The test set is limited")[0] for record in caplog.records if "limited" in record.msg
    ]
    assert limited == ["", "Source 'a': ", "Source 'b': "]


def test_one_source_has_official_splits_and_the_other_is_split_by_the_project(tmp_path, sources) -> None:
    first, second = sources.root
    split = {"split": ProjectSplit(val=0.5, test=0.25, by="group", group="height")}
    mixed = SourceList((first, second.model_copy(update=split)))
    folder = folder_of(tmp_path, mixed)
    found = sample_splits(read_sources(folder, UNREAD).persons, SPLIT, UNREAD, mixed)
    assert set(found.loc[found["source"] == "b", "source_split"]) == {"b/train2017"}
    assert set(found.loc[found["source"] == "a", "group"]) == {""}
    grouped = found[found["source"] == "b"]
    assert (grouped.groupby("group")["split"].nunique() == 1).all()
    assert not folder.has_validation_file(UNREAD)


def test_crops_of_equal_file_names_come_from_their_own_source(tmp_path, tiny_coco, sources) -> None:
    black = np.zeros((60, 80, 3), np.uint8)
    for name in ("one.png",):
        path = tmp_path / "other" / "train2017" / name
        tiny_coco.write_image("train2017", "spare.png", black)
        shutil.move(tiny_coco.image_file("train2017", "spare.png"), path)
    folder = folder_of(tmp_path, sources)
    read = read_sources(folder, UNREAD)
    boxed = box_persons(read.persons, read.keypoints, CROP)
    store = CropStore(tmp_path / "crops")
    issues = write_crops(folder, UNREAD, boxed.persons, boxed.crop_boxes, store, CROP)
    assert issues.empty
    targets = targets_in_crops(boxed.crop_boxes, read.keypoints)
    assert targets.weights is not None
    crops = store.select(targets, boxed.persons["person_id"].to_numpy())
    first = [int(np.flatnonzero(boxed.persons["source"] == name)[0]) for name in ("a", "b")]
    images = crops.read_images(np.array(first))
    assert images[0].std() > 10  # noise
    assert images[1].std() < images[0].std()  # black, with the colour of the padding
    np.testing.assert_array_equal(crops.targets.weights, targets.weights)
    # The other images are in both data sets: that is found by their bytes, whatever their names.
    findings = {found.check for found in check_images(store.records(), read.persons, UNREAD, sources)}
    assert "duplicate_images" in findings


def test_truth_of_average_precision_has_the_ids_and_joints_of_the_joined_data(tmp_path, sources) -> None:
    folder = folder_of(tmp_path, sources)
    read = read_sources(folder, UNREAD)
    truth = load_truth(folder, UNREAD, "val", read.skeleton)
    assert isinstance(truth, dict)
    persons = read.persons[read.persons["split"] == "val"]
    assert [record["id"] for record in truth["annotations"]] == persons["annotation_id"].tolist()
    assert {image["id"] for image in truth["images"]} == set(persons["image_id"])
    joints = np.array([record["keypoints"] for record in truth["annotations"]]).reshape(-1, len(OURS), 3)
    expected = joints_of(read.keypoints, persons["person_id"].to_numpy())
    np.testing.assert_array_equal(joints[..., 2], expected[..., 2])
    np.testing.assert_allclose(joints[expected[..., 2] > 0], expected[expected[..., 2] > 0])
    assert {record["category_id"] for record in truth["annotations"]} == {read.skeleton.category_id}
    some = read_truth(folder, UNREAD, "val", read.skeleton, [2 + ID_STRIDE])
    assert [image["id"] for image in some["images"]] == [2 + ID_STRIDE]
    assert {record["image_id"] for record in some["annotations"]} == {2 + ID_STRIDE}


def test_truth_of_a_single_data_set_is_its_file(tiny_coco) -> None:
    folder = CocoFolder(tiny_coco.root)
    skeleton = read_annotations(folder, SourceOptions()).skeleton
    assert load_truth(folder, SourceOptions(), "val", skeleton) == tiny_coco.annotation_file("val2017")
    assert read_truth(folder, SourceOptions(), "val", skeleton, None) == tiny_coco.read("val2017")


def test_sources_are_folders(tmp_path, sources) -> None:
    assert isinstance(folder_of(tmp_path, sources), SourceFolders)


def test_findings_on_the_skeleton_are_those_of_the_renamed_joints(tmp_path, sources) -> None:
    for path in (tmp_path / "other" / "annotations").glob("*.json"):
        path.write_text(path.read_text().replace('"left_hand"', '"l_hand"').replace('"right_hand"', '"r_hand"'))
    first, second = sources.root
    found = {}
    for name, joints in (("as they are", {}), ("renamed", {"l_hand": "left_hand", "r_hand": "right_hand"})):
        own = second.model_copy(update={"joints": {**second.joints, **joints}})
        quality = read_sources(folder_of(tmp_path, SourceList((first, own))), UNREAD).quality
        found[name] = set(quality.loc[quality["split"].str.startswith("b/"), "check"])
    assert "unpaired_joints" in found["as they are"]
    assert "unpaired_joints" not in found["renamed"]
