"""Tests of posescope.prediction.video.joint_angles."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.prediction.video.poses_of_boxes import IMAGE, person_in

from posescope.core.errors import DataError
from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.prediction.poses import ImagePoses
from posescope.prediction.video.joint_angles import AngleTable, AngleWriter, measure_angles, read_angle_definitions

ARM = Skeleton(("a", "b", "c"), ((0, 1), (1, 2)), (0.1,) * 3)


@pytest.mark.parametrize(("last", "expected"), [((4, 0), 180), ((0, 0), 0), ((2, 7), 90), ((3, -1), 135), ((1, 1), 45)])
def test_angles_by_hand(last: tuple[float, float], expected: float) -> None:
    assert measure_angles((0, 0), (2, 0), last) == pytest.approx(expected)


def test_missing_and_equal_joints_have_no_angle() -> None:
    assert np.isnan(measure_angles((np.nan, np.nan), (2, 0), (3, 0)))
    assert np.isnan(measure_angles((2, 0), (2, 0), (3, 0)))


def test_table_of_coco_and_of_another_skeleton() -> None:
    table = AngleTable(COCO_PERSON)
    assert table.names[:2] == ("left_elbow", "right_elbow")
    assert len(table.names) == 8, "COCO has no toes"
    assert table.measure(np.zeros((0, 17, 2))).shape == (0, 8)
    own = AngleTable(ARM, {"bend": ("a", "b", "c")})
    assert own.measure(np.array([[0.0, 0], [1, 0], [1, 5]])).tolist() == [90]


def test_definitions_that_do_not_fit_the_skeleton() -> None:
    for three in (("a", "b"), ("a", "b", "a"), ("a", "b", "wrist")):
        with pytest.raises(DataError, match="bend"):
            AngleTable(ARM, {"bend": three})
    with pytest.raises(DataError, match="none of the known angles"):
        AngleTable(ARM)


def test_definitions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "angles.json"
    path.write_text(json.dumps({"bend": ["a", "b", "c"]}))
    assert read_angle_definitions(path) == {"bend": ("a", "b", "c")}
    for wrong in ([], {}, {"bend": ["a", "b"]}, {"bend": "abc"}, {"bend": [1, 2, 3]}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(DataError, match=r"angles\.json"):
            read_angle_definitions(path)


def test_file_has_a_row_for_each_person(tmp_path: Path) -> None:
    pose = replace(person_in((0, 0, 10, 20)).pose, track_id=4)
    scores = pose.scores.copy()
    scores[COCO_PERSON.index("left_wrist")] = 0.1
    image = replace(IMAGE, name="=clip.mp4#3", frame=3, time_s=0.12)
    with AngleWriter(tmp_path / "angles.csv", AngleTable(COCO_PERSON), 0.2) as writer:
        writer.append(ImagePoses(IMAGE, (), COCO_PERSON))
        writer.append(ImagePoses(image, (replace(pose, scores=scores), replace(pose, track_id=None)), COCO_PERSON))
    with (tmp_path / "angles.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["file_name"], first["frame"], first["time_s"], first["person"]) == ("'=clip.mp4#3", "3", "0.120000", "0")
    assert (first["track_id"], second["track_id"]) == ("4", "")
    three = [pose.joints[COCO_PERSON.index(f"right_{name}")] for name in ("shoulder", "elbow", "wrist")]
    assert float(first["right_elbow_deg"]) == pytest.approx(float(measure_angles(*three)), abs=0.01)
    assert first["left_elbow_deg"] == "nan"
    assert float(second["left_elbow_deg"]) > 0


def test_no_file_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with AngleWriter(tmp_path / "angles.csv", AngleTable(COCO_PERSON), 0.2):
            raise DataError("x")

    with pytest.raises(DataError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("min_score", "count"), [(0.2, 0), (2.0, 1)])
def test_table_without_an_angle_is_a_warning(
    min_score: float, count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pose = person_in((0, 0, 10, 20)).pose
    with AngleWriter(tmp_path / "angles.csv", AngleTable(COCO_PERSON), min_score) as writer:
        writer.append(ImagePoses(IMAGE, (pose,), COCO_PERSON))
    with AngleWriter(tmp_path / "empty.csv", AngleTable(COCO_PERSON), min_score) as writer:
        writer.append(ImagePoses(IMAGE, (), COCO_PERSON))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == count
    assert all("none of 1 person has an angle" in warning for warning in warnings)
