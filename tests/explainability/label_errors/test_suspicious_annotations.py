import json

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO

from posescope.core.skeleton import Skeleton
from posescope.core.tables import CropBoxes, Keypoints, Persons, join_joints
from posescope.data.coco.folder import SourceOptions
from posescope.data.coco.reader import read_coco
from posescope.explainability.base import AnalysisResult
from posescope.explainability.label_errors.suspicious_annotations import list_suspicious_annotations, suspicious_coco
from posescope.explainability.label_errors.suspicious_joints import COLUMNS

SKELETON = Skeleton(("left_dot", "right_dot"), ((0, 1),), (0.1, 0.1), category_id=4)


@pytest.fixture
def persons() -> pd.DataFrame:
    rows = {
        "person_id": [1, 2, 3], "source_split": ["a", "a", "b"], "annotation_id": [11, 12, 11], "image_id": [7, 7, 7],
        "file_name": ["one.jpg", "one.jpg", "two.jpg"], "split": ["train", "train", "val"], "image_h": 60, "image_w": 80,
        "bbox_x": [9.5, 20.0, 0.0], "bbox_y": [4.5, 0.0, 0.0], "bbox_w": [20.0, 10.0, 10.0], "bbox_h": [40.0, 10.0, 10.0],
        "area": [400.0, 50.0, 50.0], "is_crowd": False,
    }  # fmt: skip
    return pd.DataFrame(Persons.validate(pd.DataFrame(rows)))


@pytest.fixture
def keypoints() -> pd.DataFrame:
    joints = np.array([[[12, 8], [25.5, 30]], [[np.nan, np.nan], [3, 4]], [[1, 2], [3, 4]]], dtype=np.float64)
    visibility = np.array([[2, 1], [0, 2], [2, 2]], dtype=np.uint8)
    return pd.DataFrame(Keypoints.validate(join_joints(np.array([1, 2, 3]), joints, visibility, "visibility")))


@pytest.fixture
def crop_boxes() -> pd.DataFrame:
    """Crops at half the scale from (10, 4)."""
    boxes = {
        "person_id": [1, 2, 3],
        "left": 10,
        "top": 4,
        "side": 64,
        "a": 0.5,
        "b": 0.0,
        "c": -5.0,
        "d": 0.0,
        "e": 0.5,
        "f": -2.0,
    }
    return pd.DataFrame(CropBoxes.validate(pd.DataFrame(boxes)))


@pytest.fixture
def result() -> AnalysisResult:
    rows = [
        (1, 3, "val", "displaced", "left_dot", "", 5.0, 1.0, 1.0, 2.0, 1.0, 0.1),
        (2, 1, "train", "swapped", "right_dot", "left_dot", 4.123456, 7.75, 13.0, 7.75, 3.0, 0.2),
    ]
    return AnalysisResult(facts={}, tables={"label_errors": pd.DataFrame(rows, columns=list(COLUMNS))})


def test_list_in_image_px(result, persons, crop_boxes) -> None:
    listed = list_suspicious_annotations(result, persons, crop_boxes)
    row = listed.iloc[1]
    assert (row["annotated_x"], row["annotated_y"], row["predicted_y"]) == (25.5, 30.0, 10.0)
    assert row["distance"] == pytest.approx(20 / 40)
    assert (row["file_name"], row["annotation_id"], row["image_id"]) == ("one.jpg", 11, 7)
    assert listed["rank"].tolist() == [1, 2]


def test_coco_files_have_the_original_records(result, persons, keypoints, crop_boxes, tmp_path) -> None:
    listed = list_suspicious_annotations(result, persons, crop_boxes)
    documents = suspicious_coco(listed, persons, keypoints, SKELETON, SourceOptions(category="mouse"))
    (record,) = documents["train"]["annotations"]
    assert record["keypoints"] == [12, 8, 2, 25.5, 30, 1]
    assert (record["id"], record["bbox"], record["category_id"], record["num_keypoints"]) == (11, [10, 5, 20, 40], 4, 2)
    assert record["posescope"] == {
        "rank": 2, "kind": "swapped", "joint": "right_dot", "other_joint": "left_dot", "score": 4.12
    }  # fmt: skip
    path = tmp_path / "person_keypoints_val2017.json"
    path.write_text(json.dumps(documents["val"], allow_nan=False))
    assert COCO(path).getCatIds(catNms=["mouse"]) == [4]


def test_coco_file_is_read_again(result, persons, keypoints, crop_boxes, tmp_path) -> None:
    listed = list_suspicious_annotations(result, persons, crop_boxes)
    documents = suspicious_coco(listed, persons, keypoints, SKELETON, SourceOptions())
    (tmp_path / "annotations").mkdir()
    for split, document in documents.items():
        (tmp_path / "annotations" / f"person_keypoints_{split}2017.json").write_text(json.dumps(document))
    again = read_coco(tmp_path, images=None)
    assert again.persons["annotation_id"].tolist() == [11, 11]
    assert again.persons["bbox_x"].tolist() == [9.5, 0.0]
    assert again.keypoints["x"].tolist() == [12, 25.5, 1, 3]


def test_analysis_that_was_not_selected(persons, keypoints, crop_boxes) -> None:
    listed = list_suspicious_annotations(AnalysisResult(facts={}), persons, crop_boxes)
    assert len(listed) == 0
    assert {*COLUMNS, "file_name"} <= set(listed.columns)
    documents = suspicious_coco(listed, persons, keypoints, SKELETON, SourceOptions())
    assert [document["annotations"] for document in documents.values()] == [[], []]
