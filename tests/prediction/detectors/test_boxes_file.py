"""Boxes of other programs find their images, or it is said why not; a spoilt file is refused, or adds no box."""

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
    """How many boxes each image has, and the ids, or notes."""
    detector, detections = BoxesFile(BoxesFileOptions(**options)), Detections(root / "boxes.json")
    detections.root.write_text(json.dumps(content))
    assert isinstance(detector, ImageIndexedDetector)
    known = detector.prepare(names, detections)
    found = {name: len(persons_of(detector, name, detections)) for name in names}
    return {name: number for name, number in found.items() if number}, known


def persons_of(detector: BoxesFile, name: str, detections: Detections) -> list[DetectedPerson]:
    return detector(np.zeros((90, 80, 3), np.uint8), ImageInfo(name, 0, (90, 80)), detections)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"file_name": "im_0.jpg"}, "im_0.jpg"),
        ({"file_name": "val/im_0.jpg", "image_id": 1}, "im_0.jpg"),
        ({"file_name": "/data/sub/0007.jpg"}, "sub/0007.jpg"),
        ({"image_id": "im_1.jpg"}, "im_1.jpg"),  # as AlphaPose writes it
        ({"image_id": "im_1"}, "im_1.jpg"),  # as Ultralytics does
        ({"image_id": 7}, "sub/0007.jpg"),  # as COCO's images are called
        ({"image_id": 7.0}, "sub/0007.jpg"),
        ({"image_id": "0007"}, "sub/0007.jpg"),
    ],
)
def test_ways_to_name_an_image(tmp_path: Path, said: dict[str, Any], expected: str) -> None:
    found, _ = prepare(tmp_path, [record(**said)])
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
def test_the_error_says_why_no_box_belongs_to_an_image(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        prepare(tmp_path, content, min_score=0.5)


def test_ambiguous_names_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ambiguous"):
        prepare(tmp_path, [record(file_name="a.jpg")], ("x/a.jpg", "y/a.jpg"))
    with pytest.raises(DataError, match="ambiguous"):
        prepare(tmp_path, [record(file_name="x/a.jpg"), record(file_name="y/a.jpg")], ("a.jpg",))
    with pytest.raises(DataError, match="ambiguous"):
        prepare(tmp_path, [record(file_name="/one/c/a.jpg"), record(file_name="/two/c/a.jpg")], ("c/a.jpg",))


def test_an_id_of_two_images_is_an_error(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "im_0.jpg"}, {"id": 1, "file_name": "im_1.jpg"}]
    with pytest.raises(DataError, match="unique"):
        prepare(tmp_path, {"images": images, "annotations": [record(image_id=1)]})


def test_an_empty_name_needs_an_id(tmp_path: Path) -> None:
    assert prepare(tmp_path, [record(file_name="", image_id=7)])[0] == {"sub/0007.jpg": 1}
    for image_id in (None, [7], 1.5):
        with pytest.raises(DataError, match="file_name"):
            prepare(tmp_path, [record(file_name="", image_id=image_id)])


def test_ids_are_those_of_the_file(tmp_path: Path) -> None:
    images = [{"id": 41 + place, "file_name": f"val/{Path(name).name}"} for place, name in enumerate(NAMES)]
    content = {"images": [*images, {"id": 99, "file_name": "other.jpg"}], "annotations": [record(image_id=41)]}
    found, known = prepare(tmp_path, content)
    assert found == {"im_0.jpg": 1}
    assert known.ids == {"im_0.jpg": 41, "im_1.jpg": 42, "sub/0007.jpg": 43}, "also of images without boxes"
    assert known.notes == ()
    _, known = prepare(tmp_path, [record(file_name="im_1.jpg", image_id=3), record(image_id=7), record(file_name="other.jpg")])
    assert known.ids == {"im_1.jpg": 3, "sub/0007.jpg": 7}
    assert known.notes == (f"{tmp_path / 'boxes.json'}: 2 of 3 records are boxes of these images.",)


def test_ids_that_do_not_identify_images_are_not_taken(tmp_path: Path) -> None:
    _, known = prepare(tmp_path, [record(file_name="im_0.jpg", image_id=1), record(file_name="im_1.jpg", image_id=1)])
    assert known.ids == {}
    assert len(known.notes) == 1
    _, known = prepare(tmp_path, [record(file_name="im_0.jpg", image_id=1), record(file_name="im_0.jpg", image_id=2)])
    assert known.ids == {}


def test_a_frame_goes_by_the_name_of_its_video(tmp_path: Path) -> None:
    detector, detections = BoxesFile(BoxesFileOptions()), Detections(tmp_path / "boxes.json")
    detections.root.write_text(json.dumps([record(file_name="clips/one.mp4#3")]))
    detector.prepare(("one.mp4",), detections)
    assert len(persons_of(detector, "one.mp4#3", detections)) == 1
    assert persons_of(detector, "one.mp4#4", detections) == []


def test_a_few_invalid_records_are_ignored_and_reported(tmp_path: Path) -> None:
    good = [record(file_name="im_0.jpg", image_id=1)] * 99
    found, known = prepare(tmp_path, [*good, record(bbox=[1, 2, 0, 4])])
    assert found == {"im_0.jpg": 99}
    assert "record 99" in known.notes[0]
    with pytest.raises(DataError, match="12 of 111"):
        prepare(tmp_path, [*good, *[record(bbox=None)] * 12])


# --- fuzz: 100 seeded mutations of a file of boxes --------------------------------------------------------------------------

BAD = (math.nan, math.inf, None, "12", "", True, [1], {}, 10**400, -1, 0, 1e300, -5.5)


def _corrupt(rng: random.Random, content: Any) -> Any:
    records = content["annotations"] if isinstance(content, dict) else content
    one = rng.choice(records)
    kind = rng.randrange(8)
    if kind == 0:
        one["bbox"][rng.randrange(4)] = rng.choice(BAD)
    elif kind == 1:
        one[rng.choice(["bbox", "image_id", "category_id", "score", "file_name", "iscrowd"])] = rng.choice(BAD)
    elif kind == 2:
        del one[rng.choice(list(one))]
    elif kind == 3:
        records.insert(0, rng.choice([None, 3, "box", [], {}, True]))
    elif kind == 4:
        one["bbox"] = rng.choice([one["bbox"][:3], [*one["bbox"], 1], [one["bbox"]], []])
    elif kind == 5:
        one["image_id"] = rng.choice([-1, 2**70, 900, "im_0.jpg", "nowhere", 1.5])
    elif kind == 6 and isinstance(content, dict):
        content[rng.choice(["images", "annotations"])] = rng.choice([None, {}, "x", [None, 3, {"id": []}]])
    else:
        return rng.choice([None, {}, [], [[]], 3, "text", {"annotations": None}])
    return content


def test_corrupted_files_are_rejected_or_add_no_box(tmp_path: Path) -> None:
    boxes = [record(image_id=1 + place % 2, file_name=f"im_{place % 2}.jpg") for place in range(6)]
    named = [{"id": 1 + place, "file_name": f"im_{place}.jpg", "height": 90, "width": 80} for place in range(2)]
    numbered = [record(image_id=7) for _ in range(6)]
    unnamed = [{name: value for name, value in box.items() if name != "file_name"} for box in boxes]
    clean = [boxes, {"images": named, "annotations": unnamed}, numbered]
    for content in clean:  # the control: a clean file gives all its boxes
        assert sum(prepare(tmp_path, content)[0].values()) == 6
    ends = Counter[str]()
    for number in range(100):
        rng = random.Random(number)
        content = copy.deepcopy(clean[number % 3])
        for _ in range(rng.choice([1, 2])):
            with contextlib.suppress(
                KeyError, TypeError, IndexError, AttributeError
            ):  # the first corruption removed what the second one changes
                content = _corrupt(rng, content)
        detector, detections = (
            BoxesFile(BoxesFileOptions(max_invalid_fraction=rng.choice([0.01, 1.0]))),
            Detections(tmp_path / "b.json"),
        )
        detections.root.write_text(json.dumps(content))
        try:
            detector.prepare(NAMES, detections)
            persons = [person for name in NAMES for person in persons_of(detector, name, detections)]
        except PosescopeError:
            ends["refused"] += 1
            continue
        ends["taken"] += 1
        assert len(persons) <= 6
        for person in persons:
            assert all(map(math.isfinite, (*person.box, person.score)))
            assert min(person.box[2:]) > 0
    assert ends.total() == 100
    assert min(ends["refused"], ends["taken"]) > 10, ends
    print(f"100 mutations of a boxes file: {dict(ends)}")  # noqa: T201
