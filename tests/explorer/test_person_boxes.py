"""Tests of posescope.explorer.person_boxes: the configured detector, and the whole photograph in its place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.explorer.person_boxes import PersonFinder, find_configured_detector
from posescope.prediction.detectors.onnx_detector import OnnxDetector
from posescope.prediction.poses import DetectedPerson, ImageInfo

IMAGE = np.zeros((40, 60, 3), np.uint8)


def write_record(data_dir: Path, run_id: str, detector: Any) -> None:
    folder = data_dir / "08_reporting" / "runs" / run_id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"parameters": {"inference": {"detector": detector}}}))


def check_whole(finder: PersonFinder, words: str) -> None:
    found = finder.find(IMAGE)
    np.testing.assert_array_equal(found.boxes, [[0, 0, 60, 40]])
    assert not found.is_detected
    assert words in found.note


def test_detected_boxes_have_cocos_edges_and_the_highest_score_is_first() -> None:
    def detect(image: NDArray[np.uint8], info: ImageInfo, _detections: Any) -> list[DetectedPerson]:
        assert info.size == (40, 60)
        boxes = {(9.5, 4.5, 20.0, 30.0): 0.5, (29.5, 4.5, 20.0, 30.0): 0.75, (500.0, 0.0, 10.0, 10.0): 0.9}
        return [DetectedPerson(info, box, score) for box, score in boxes.items()]

    found = PersonFinder(detect, "mine", "").find(IMAGE)
    np.testing.assert_array_equal(found.boxes, [[30, 5, 20, 30], [10, 5, 20, 30]])  # the third one is outside
    np.testing.assert_array_equal(found.scores, [0.75, 0.5])
    assert found.is_detected


def test_without_persons_the_whole_photograph_is_the_box() -> None:
    check_whole(PersonFinder(lambda *_: [], "mine", ""), "mine found no person")


def test_a_failing_detector_is_named_with_its_error() -> None:
    def fail(*_: Any) -> list[DetectedPerson]:
        raise DataError("detector.onnx: no such\nfile.")

    check_whole(PersonFinder(fail, "mine", ""), "mine failed: detector.onnx: no such file.")


def test_without_records_there_is_no_detector(tmp_path: Path) -> None:
    check_whole(find_configured_detector(tmp_path), "no detector")


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        ({"name": "full_image"}, "no detector"),
        ({"name": "boxes_file"}, "its own images only"),
        ({"name": "absent"}, "cannot be used"),
        ({"name": "os:system"}, "cannot be used"),
        ({"name": "onnx", "options": {"unknown": 1}}, "cannot be used"),
        ("onnx", "cannot be used"),
        (None, "no detector"),
    ],
)
def test_detectors_that_do_not_work_on_a_photograph(tmp_path: Path, detector: Any, words: str) -> None:
    write_record(tmp_path, "2026-01-01T00.00.00.000Z", detector)
    check_whole(find_configured_detector(tmp_path), words)


def test_the_newest_record_names_the_detector(tmp_path: Path) -> None:
    write_record(tmp_path, "2026-01-01T00.00.00.000Z", {"name": "full_image"})
    write_record(tmp_path, "2026-02-01T00.00.00.000Z", {"name": "onnx", "options": {"path": str(tmp_path / "absent.onnx")}})
    finder = find_configured_detector(tmp_path)
    assert isinstance(finder.detector, OnnxDetector)
    check_whole(finder, "onnx failed")


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    write_record(tmp_path, "2026-01-01T00.00.00.000Z", None)
    next(tmp_path.rglob("run.json")).write_text("{")
    check_whole(find_configured_detector(tmp_path), "cannot be used")
