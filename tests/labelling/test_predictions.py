"""Predictions as pre-labels: visibilities from radii and scores, sizes of images, and faults."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.labelling.label_examples import SKELETON, example_labels

from posescope.labelling.label_set import UNLABELLED, Joint, LabelError, LabelSet
from posescope.labelling.predictions import PreLabelOptions, read_predictions

RECORD: dict[str, Any] = {
    "image_id": 101, "file_name": "a.png", "category_id": 3, "score": 0.5, "bbox": [1, 2, 30, 40],
    "keypoints": [10, 11, 0.9, 20, 21, 0.1, 30.5, 31, 0.3],
}  # fmt: skip


def read(folder: Path, *records: Any, **options: Any) -> LabelSet:
    (folder / "poses.json").write_text(json.dumps(list(records)))
    return read_predictions(folder / "poses.json", SKELETON, PreLabelOptions(**options), known=example_labels())


def test_low_scores_are_occluded_or_unlabelled_without_a_calibration(tmp_path: Path) -> None:
    (image,) = read(tmp_path, RECORD, occluded_below=0.35, min_score=0.2).images
    assert (image.name, image.width, image.height, image.id) == ("a.png", 64, 48, 101)
    (person,) = image.persons
    assert person.joints == (Joint(10, 11, 2, 0.9), UNLABELLED, Joint(30.5, 31, 1, 0.3))
    assert (person.box, person.score, person.id) == ((1, 2, 30, 40), 0.5, None)


def test_radii_decide_if_the_model_was_calibrated(tmp_path: Path) -> None:
    record = {**RECORD, "radii": [1, 2, None], "do_not_trust": [True, False, False]}
    (person,) = read(tmp_path, record).images[0].persons
    assert [joint.visibility for joint in person.joints] == [1, 2, 2]
    assert person.side == {"radii": [1, 2, None]}


def test_persons_of_low_score_are_left_out_and_their_image_kept(tmp_path: Path) -> None:
    (image,) = read(tmp_path, RECORD, {**RECORD, "score": 0.1}, min_person_score=0.3).images
    assert len(image.persons) == 1
    assert read(tmp_path).images == ()


def test_sizes_are_those_of_the_image_files(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "poses.json").write_text(json.dumps([RECORD]))
    (image,) = read_predictions(tmp_path / "poses.json", SKELETON, PreLabelOptions(), images=tmp_path).images
    assert (image.width, image.height) == (9, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        7,
        {**RECORD, "file_name": "unknown.png"},
        {**RECORD, "file_name": "../a.png"},
        {**RECORD, "frame": 3},
        {**RECORD, "keypoints": [1, 2, 3]},
        {**RECORD, "keypoints": None},
        {**RECORD, "bbox": [1, 2, 0, 4]},
        {**RECORD, "radii": [1]},
        {key: value for key, value in RECORD.items() if key != "file_name"} | {"image_id": 5},
    ],
    ids=str,
)
def test_malformed_records_are_refused(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(LabelError) as error:
        read(tmp_path, wrong)
    assert "\n" not in str(error.value)


def test_other_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(LabelError):
        read_predictions(tmp_path / "a.json", SKELETON, PreLabelOptions())


@pytest.mark.parametrize(("options", "count"), [({}, 0), ({"occluded_below": 0.95}, 1), ({"min_score": 0.95}, 1)])
def test_labels_without_a_visible_joint_are_a_warning(
    options: dict[str, float], count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(tmp_path, RECORD, **options)
    read(tmp_path, **options)  # no person
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == count
    assert all("no joint of 1 person is visible" in warning for warning in warnings)
