"""Tests of posescope.prediction.detectors.boxes_file: matching of boxes and images, invalid records, and damaged files."""

import contextlib
import copy
import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import DataError, PosescopeError
from posescope.prediction.detectors.boxes_file import BoxesFile, BoxesFileOptions
from posescope.prediction.detectors.detector import Detections, ImageIndexedDetector
from posescope.prediction.poses import DetectedPerson, ImageInfo

NAMES = ("im_0.jpg", "im_1.jpg", "sub/0007.jpg")


def record(**changes: Any) -> dict[str, Any]:
    return {"image_id": 5, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.9, **changes}


def prepare(root: Path, content: Any, names: tuple[str, ...] = NAMES, **options: Any) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the number of boxes per image, and the known ids with notes."""
    detector, detections = BoxesFile(BoxesFileOptions(**options)), Detections(root / "boxes.json")
    detections.root.write_text(json.dumps(content))
    assert isinstance(detector, ImageIndexedDetector)
    known = detector.prepare(names, detections)
    found = {name: len(detect(detector, name, detections)) for name in names}
    return {name: number for name, number in found.items() if number}, known


def detect(detector: BoxesFile, name: str, detections: Detections) -> list[DetectedPerson]:
    return detector(np.zeros((90, 80, 3), np.uint8), ImageInfo(name, 0, (90, 80)), detections)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"file_name": "im_0.jpg"}, "im_0.jpg"),
        ({"file_name": "val/im_0.jpg", "image_id": 1}, "im_0.jpg"),
        ({"file_name": "/data/sub/0007.jpg"}, "sub/0007.jpg"),
        ({"image_id": "im_1.jpg"}, "im_1.jpg"),  # form of AlphaPose
        ({"image_id": "im_1"}, "im_1.jpg"),  # form of Ultralytics
        ({"image_id": 7}, "sub/0007.jpg"),  # number of a COCO file name
        ({"image_id": 7.0}, "sub/0007.jpg"),
        ({"image_id": "0007"}, "sub/0007.jpg"),
    ],
)
def test_image_is_matched_by_name_or_number(tmp_path: Path, fields: dict[str, Any], expected: str) -> None:
    found, _ = prepare(tmp_path, [record(**fields)])
    assert found == {expected: 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([record(image_id=900), record(image_id=901)], "900"),
        ([record(file_name="else.jpg")], r"else\.jpg"),
        ([record(image_id="else")], "else"),
        ([record(file_name="im_0.jpg", category_id=0)], "category_id 0"),
        ([record(file_name="im_0.jpg", score=0.1)], "min_score"),
        ([record(file_name="im_0.jpg", iscrowd=1)], "crowds"),
        ([], "no records"),
        ({"images": [], "annotations": []}, "no records"),
    ],
)
def test_error_states_why_no_box_matches_an_image(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        prepare(tmp_path, content, min_score=0.5)


def test_ambiguous_names_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ambiguous"):
        prepare(tmp_path, [record(file_name="a.jpg")], ("x/a.jpg", "y/a.jpg"))
    with pytest.raises(DataError, match="ambiguous"):
        prepare(tmp_path, [record(file_name="x/a.jpg"), record(file_name="y/a.jpg")], ("a.jpg",))
    with pytest.raises(DataError, match="ambiguous"):
        prepare(tmp_path, [record(file_name="/one/c/a.jpg"), record(file_name="/two/c/a.jpg")], ("c/a.jpg",))


def test_id_of_two_images_is_an_error(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "im_0.jpg"}, {"id": 1, "file_name": "im_1.jpg"}]
    with pytest.raises(DataError, match="unique"):
        prepare(tmp_path, {"images": images, "annotations": [record(image_id=1)]})


def test_empty_name_needs_an_id(tmp_path: Path) -> None:
    assert prepare(tmp_path, [record(file_name="", image_id=7)])[0] == {"sub/0007.jpg": 1}
    for image_id in (None, [7], 1.5):
        with pytest.raises(DataError, match="file_name"):
            prepare(tmp_path, [record(file_name="", image_id=image_id)])


def test_ids_are_read_from_the_file(tmp_path: Path) -> None:
    images = [{"id": 41 + index, "file_name": f"val/{Path(name).name}"} for index, name in enumerate(NAMES)]
    content = {"images": [*images, {"id": 99, "file_name": "other.jpg"}], "annotations": [record(image_id=41)]}
    found, known = prepare(tmp_path, content)
    assert found == {"im_0.jpg": 1}
    assert known.ids == {"im_0.jpg": 41, "im_1.jpg": 42, "sub/0007.jpg": 43}, "including images without boxes"
    assert known.notes == ()
    _, known = prepare(tmp_path, [record(file_name="im_1.jpg", image_id=3), record(image_id=7), record(file_name="other.jpg")])
    assert known.ids == {"im_1.jpg": 3, "sub/0007.jpg": 7}
    assert known.notes == (f"{tmp_path / 'boxes.json'}: 2 of 3 records are boxes of these images.",)


def test_ids_that_do_not_identify_images_are_ignored(tmp_path: Path) -> None:
    _, known = prepare(tmp_path, [record(file_name="im_0.jpg", image_id=1), record(file_name="im_1.jpg", image_id=1)])
    assert known.ids == {}
    assert len(known.notes) == 1
    _, known = prepare(tmp_path, [record(file_name="im_0.jpg", image_id=1), record(file_name="im_0.jpg", image_id=2)])
    assert known.ids == {}


def test_frame_is_matched_by_the_name_of_its_video(tmp_path: Path) -> None:
    detector, detections = BoxesFile(BoxesFileOptions()), Detections(tmp_path / "boxes.json")
    detections.root.write_text(json.dumps([record(file_name="clips/one.mp4#3")]))
    detector.prepare(("one.mp4",), detections)
    assert len(detect(detector, "one.mp4#3", detections)) == 1
    assert detect(detector, "one.mp4#4", detections) == []


def test_few_invalid_records_are_ignored_and_reported(tmp_path: Path) -> None:
    valid = [record(file_name="im_0.jpg", image_id=1)] * 99
    found, known = prepare(tmp_path, [*valid, record(bbox=[1, 2, 0, 4])])
    assert found == {"im_0.jpg": 99}
    assert "record 99" in known.notes[0]
    with pytest.raises(DataError, match="12 of 111"):
        prepare(tmp_path, [*valid, *[record(bbox=None)] * 12])


# --- fuzzing: 100 seeded mutations of a boxes file --------------------------------------------------------------------------

INVALID_VALUES = (math.nan, math.inf, None, "12", "", True, [1], {}, 10**400, -1, 0, 1e300, -5.5)


def _corrupt(rng: random.Random, content: Any) -> Any:
    records = content["annotations"] if isinstance(content, dict) else content
    box_record = rng.choice(records)
    kind = rng.randrange(8)
    if kind == 0:
        box_record["bbox"][rng.randrange(4)] = rng.choice(INVALID_VALUES)
    elif kind == 1:
        box_record[rng.choice(["bbox", "image_id", "category_id", "score", "file_name", "iscrowd"])] = rng.choice(INVALID_VALUES)
    elif kind == 2:
        del box_record[rng.choice(list(box_record))]
    elif kind == 3:
        records.insert(0, rng.choice([None, 3, "box", [], {}, True]))
    elif kind == 4:
        box_record["bbox"] = rng.choice([box_record["bbox"][:3], [*box_record["bbox"], 1], [box_record["bbox"]], []])
    elif kind == 5:
        box_record["image_id"] = rng.choice([-1, 2**70, 900, "im_0.jpg", "nowhere", 1.5])
    elif kind == 6 and isinstance(content, dict):
        content[rng.choice(["images", "annotations"])] = rng.choice([None, {}, "x", [None, 3, {"id": []}]])
    else:
        return rng.choice([None, {}, [], [[]], 3, "text", {"annotations": None}])
    return content


def test_corrupted_files_are_rejected_or_add_no_box(tmp_path: Path) -> None:
    boxes = [record(image_id=1 + index % 2, file_name=f"im_{index % 2}.jpg") for index in range(6)]
    named = [{"id": 1 + index, "file_name": f"im_{index}.jpg", "height": 90, "width": 80} for index in range(2)]
    numbered = [record(image_id=7) for _ in range(6)]
    unnamed = [{name: value for name, value in box.items() if name != "file_name"} for box in boxes]
    clean = [boxes, {"images": named, "annotations": unnamed}, numbered]
    for content in clean:  # control: all boxes of a valid file are read
        assert sum(prepare(tmp_path, content)[0].values()) == 6
    outcomes = Counter[str]()
    for number in range(100):
        rng = random.Random(number)
        content = copy.deepcopy(clean[number % 3])
        for _ in range(rng.choice([1, 2])):
            with contextlib.suppress(
                KeyError, TypeError, IndexError, AttributeError
            ):  # the first mutation removed the field of the second one
                content = _corrupt(rng, content)
        detector, detections = (
            BoxesFile(BoxesFileOptions(max_invalid_fraction=rng.choice([0.01, 1.0]))),
            Detections(tmp_path / "b.json"),
        )
        detections.root.write_text(json.dumps(content))
        try:
            detector.prepare(NAMES, detections)
            persons = [person for name in NAMES for person in detect(detector, name, detections)]
        except PosescopeError:
            outcomes["refused"] += 1
            continue
        outcomes["accepted"] += 1
        assert len(persons) <= 6
        for person in persons:
            assert all(map(math.isfinite, (*person.box, person.score)))
            assert min(person.box[2:]) > 0
    assert outcomes.total() == 100
    assert min(outcomes["refused"], outcomes["accepted"]) > 10, outcomes
    print(f"100 mutations of a boxes file: {dict(outcomes)}")  # noqa: T201
