"""Tests of posescope.prediction.split_predictions."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.records import PoseTargets
from posescope.core.tables import CropBoxes, Keypoints, Persons, Predictions, join_joints, required_columns
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.table_schemas import HeatmapErrors
from posescope.prediction.options import PredictionOptions
from posescope.prediction.split_predictions import origin_of_predictions, predict_split, read_split_results

JOINTS = np.array([[[10, 20], [40, 50]], [[30, 31], [5, 6]]], dtype=np.float32)
IDS = np.array([100, 101])
LABELS = Keypoints.validate(join_joints(IDS, JOINTS + 7, np.full((2, 2), 2, np.uint8), "visibility"))
# The first pixel of each crop is (7, 7) in its image.
BOXES = CropBoxes.validate(
    pd.DataFrame({"person_id": IDS, "left": 7, "top": 7, "side": 64, "a": 1, "b": 0, "c": -7, "d": 0, "e": 1, "f": -7})
)
EVALUATED = Persons.validate(
    pd.DataFrame(
        {"person_id": IDS, "annotation_id": IDS, "image_id": [4, 5], "source_split": "v", "file_name": "x", "split": "val"}
    ).assign(image_h=90, image_w=90, bbox_x=0, bbox_y=0, bbox_w=50, bbox_h=50, area=2500, is_crowd=False)[
        required_columns(Persons)
    ]
)
OPTIONS = PredictionOptions(device="cpu")


@pytest.fixture
def crops() -> CropSet:
    """Return black 64 x 64 crops with a red left hand and a green right hand, which the model `spots` finds."""
    images = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    for person, hand in np.ndindex(2, 2):
        x, y = JOINTS[person, hand].astype(int)
        images[person, y, x, hand] = 255
    targets = PoseTargets(IDS, JOINTS, np.full((2, 2), 2, dtype=np.uint8), joint_names=("left_hand", "right_hand"))
    return CropSet(targets, (images,), np.array([[0, 0], [0, 1]]))


def test_model_predicts_its_crops(spots, crops) -> None:
    found = predict_split(spots, crops, EVALUATED, BOXES, spots.skeleton, OPTIONS)
    assert found.predictions["person_id"].tolist() == [100, 100, 101, 101]
    np.testing.assert_allclose(found.predictions[["x", "y"]], JOINTS.reshape(4, 2) + 7)
    np.testing.assert_array_equal(found.predictions[["crop_x", "crop_y"]], JOINTS.reshape(4, 2))
    assert [result["image_id"] for result in found.results] == [4, 5]
    assert found.results[0]["keypoints"] == [17, 27, 1, 47, 57, 1]
    assert found.results[0]["score"] == pytest.approx(1)  # the mean of the joint scores, with a box score of 1
    assert found.heatmap_errors["image_id"].tolist() == [4, 5]
    assert (found.heatmap_errors["mse"] > 0).all()


RECORD = {"score": 0.5, "keypoints": [36, 38, 0.5, 12, 13, 1.0]}


def test_external_results_replace_the_model(spots, tmp_path) -> None:
    path, truth = tmp_path / "external.json", tmp_path / "truth.json"
    truth.write_text(json.dumps({"images": [{"id": 4}, {"id": 5}], "annotations": [], "categories": []}))
    records = [{"image_id": 5, "category_id": spots.skeleton.category_id, **RECORD}]
    path.write_text(json.dumps(records))
    found = read_split_results(str(path), truth, EVALUATED, LABELS, spots.skeleton)
    Predictions.validate(found.predictions)
    assert found.predictions[["person_id", "x", "score"]].to_numpy().tolist() == [[101, 36, 0.5], [101, 12, 1.0]]
    assert found.results == records
    assert HeatmapErrors.validate(found.heatmap_errors).empty


def test_file_names_of_the_annotation_file_override_image_ids(spots, tmp_path) -> None:
    """The results have other image ids; one of them is of an image without persons, which counts in AP."""
    images = [{"id": 4, "file_name": "a.jpg"}, {"id": 5, "file_name": "b.jpg"}, {"id": 6, "file_name": "empty.jpg"}, "no image"]
    (tmp_path / "truth.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    record = {"category_id": spots.skeleton.category_id, **RECORD}
    named = [
        {**record, "image_id": number, "file_name": name} for number, name in ((0, "a.jpg"), (1, "b.jpg"), (2, "x/empty.jpg"))
    ]
    path = tmp_path / "external.json"
    path.write_text(json.dumps(named))
    arguments = (str(path), tmp_path / "truth.json", EVALUATED, LABELS, spots.skeleton)
    found = read_split_results(*arguments)
    assert found.predictions["person_id"].tolist() == [100, 100, 101, 101]
    assert found.results == [{**record, "image_id": number} for number in (4, 5, 6)]
    path.write_text(json.dumps([*named, {**record, "image_id": 4, "file_name": "c.jpg"}]))
    with pytest.raises(MetricError, match="record 3"):
        read_split_results(*arguments)


def test_without_a_model_there_is_nothing_to_score(crops, spots) -> None:
    with pytest.raises(DataError, match="neither"):
        predict_split(None, crops, EVALUATED, BOXES, spots.skeleton, OPTIONS)


@pytest.mark.parametrize(("trained_on", "warnings"), [("d" * 16, 0), ("e" * 16, 1), (None, 0)])
def test_model_of_other_data_logs_a_warning(untrained_model, caplog, trained_on: str | None, warnings: int) -> None:
    model = replace(untrained_model, provenance={} if trained_on is None else {"data_fingerprint": trained_on})
    assert origin_of_predictions(model, "d" * 16).data == "d" * 16
    assert [record.levelname for record in caplog.records] == ["WARNING"] * warnings
    assert all(str(trained_on) in record.getMessage() for record in caplog.records)
