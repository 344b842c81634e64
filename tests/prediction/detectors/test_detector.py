"""Tests of posescope.prediction.detectors.detector."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.plugins import ComponentSpec, build
from posescope.data.images.limits import ImageError
from posescope.prediction.detectors.boxes_file import BoxesFile, BoxesFileOptions
from posescope.prediction.detectors.detector import Detections, Detector, FullImage
from posescope.prediction.poses import DetectedPerson, ImageInfo

ONE, TWO = ImageInfo("1.jpg", 1, (100, 200)), ImageInfo("2.jpg", 2, (50, 60))
IMAGES = (ONE, TWO)


def record(image: int = 1, box: tuple[float, ...] = (10, 20, 30, 40), **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": 1, "bbox": list(box), "score": 0.9, **more}


@pytest.fixture
def detections(tmp_path: Path) -> Detections:
    return Detections(tmp_path / "boxes.json")


def find(detections: Detections, content: Any, images: tuple[ImageInfo, ...] = IMAGES, **options: Any) -> list[DetectedPerson]:
    detections.root.write_text(json.dumps(content))
    return detect(BoxesFile(BoxesFileOptions(**options)), images, detections)


def detect(detector: Detector, images: tuple[ImageInfo, ...], detections: Detections) -> list[DetectedPerson]:
    """Return the persons of the images, one image after the other."""
    return [person for info in images for person in detector(np.zeros((*info.size, 3), np.uint8), info, detections)]


def test_full_image_returns_one_box_from_edge_to_edge(detections: Detections) -> None:
    persons = detect(build("detectors", ComponentSpec(name="full_image")), IMAGES, detections)
    assert persons == [DetectedPerson(ONE, (-0.5, -0.5, 200.0, 100.0), 1.0), DetectedPerson(TWO, (-0.5, -0.5, 60.0, 50.0), 1.0)]
    assert isinstance(build("detectors", ComponentSpec(name="full_image")), FullImage)


def test_coco_edges_are_shifted_by_half_a_pixel(detections: Detections) -> None:
    assert find(detections, [record()]) == [DetectedPerson(ONE, (9.5, 19.5, 30.0, 40.0), 0.9)]


def test_persons_of_an_image_are_in_the_order_of_the_file(detections: Detections) -> None:
    named = record(2, (2, 2, 7, 7), file_name="1.jpg")
    persons = find(detections, [record(1), named, record(1, (3, 3, 8, 8))])
    assert [person.box[2] for person in persons] == [30.0, 7.0, 8.0]
    persons = find(detections, [record(2), record(1), record(2, (0, 0, 5, 5)), record(1, (1, 1, 6, 6))])
    assert [(person.image.image_id, person.box[2]) for person in persons] == [(1, 30.0), (1, 6.0), (2, 30.0), (2, 5.0)]


def test_only_boxes_of_the_category_are_returned(detections: Detections) -> None:
    records = [record(), record(box=(0, 0, 7, 7), category_id=3)]
    assert [person.box[2] for person in find(detections, records)] == [30.0]
    assert [person.box[2] for person in find(detections, records, category_id=3)] == [7.0]
    assert [person.box[2] for person in find(detections, records, category_id=None)] == [30.0, 7.0]


def test_low_scores_are_ignored(detections: Detections) -> None:
    records = [record(score=0.5), record(score=0.499)]
    assert [person.score for person in find(detections, records, min_score=0.5)] == [0.5]


@pytest.mark.parametrize(
    "ignored",
    [record(iscrowd=1), record(9)],
    ids=["crowd", "image"],
)
def test_crowds_and_other_images_are_ignored(detections: Detections, ignored: dict[str, Any]) -> None:
    assert find(detections, [ignored]) == []


def test_annotations_count_as_detections_of_score_one(detections: Detections) -> None:
    annotation = {key: value for key, value in record().items() if key != "score"}
    persons = find(detections, {"images": [], "annotations": [{**annotation, "iscrowd": 0}]})
    assert persons == [DetectedPerson(ONE, (9.5, 19.5, 30.0, 40.0), 1.0)]


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"bbox": [1, 2, 3, 4]}, "image_id"),
        ({"image_id": 1}, "bbox"),
        ("record", "bbox"),
        (record(box=(1, 2, 3)), "bbox"),
        ({**record(), "bbox": None}, "bbox"),
        ({**record(), "bbox": "1 2 3 4"}, "bbox"),
        ({**record(), "bbox": ["1", "2", "3", "4"]}, "bbox"),
        ({**record(), "bbox": [1, 2, 3, True]}, "bbox"),
        (record(box=(float("nan"), 2, 3, 4)), "bbox"),
        (record(box=(1, 2, 10**400, 4)), "bbox"),
        (record(box=(1, 1, 0, 5)), "bbox"),
        (record(box=(1, 1, 5, -1)), "bbox"),
        (record(score="high"), "score"),
        (record(score=None), "score"),
        (record(score=float("inf")), "score"),
        ({**record(), "image_id": None}, "image_id"),
        ({**record(), "image_id": [1]}, "image_id"),
        (record(file_name=3), "file_name"),
        (record(category_id="1"), "category_id"),
    ],
)
def test_invalid_record_is_refused_with_record_and_field(detections: Detections, broken: Any, field: str) -> None:
    with pytest.raises(DataError, match=rf"record 1: .*{field}"):
        find(detections, [record(), broken])
    assert len(find(detections, [record(), broken], max_invalid_fraction=0.5)) == 1


def test_images_may_be_requested_in_any_order_and_repeatedly(detections: Detections) -> None:
    detections.root.write_text(json.dumps([record(1), record(2, (0, 0, 5, 5))]))
    persons = detect(BoxesFile(BoxesFileOptions()), (TWO, ONE, TWO), detections)
    assert [(person.image, person.box[2]) for person in persons] == [(TWO, 5.0), (ONE, 30.0), (TWO, 5.0)]


def test_file_is_read_once(detections: Detections, tmp_path: Path) -> None:
    detections.root.write_text(json.dumps([record(1), record(2)]))
    detector = BoxesFile(BoxesFileOptions())
    assert len(detect(detector, (ONE,), detections)) == 1
    detections.root.unlink()
    assert len(detect(detector, (TWO,), detections)) == 1
    other = Detections(tmp_path / "other.json")
    other.root.write_text("[]")
    assert detect(detector, (ONE,), other) == [], "each file has its own index"


def test_second_image_with_the_number_of_a_box_is_refused(detections: Detections) -> None:
    same_number = (ONE, ImageInfo("below/001.jpg", 1, (10, 10)))
    with pytest.raises(DataError, match="number"):
        find(detections, [record()], images=same_number)
    assert find(detections, [record(2)], images=same_number) == [], "no box has this number"
    named = [record(file_name="1.jpg"), record(file_name="below/001.jpg")]
    assert len(find(detections, named, images=same_number)) == 2, "the names differ"


def test_images_are_matched_by_the_names_of_the_annotation_file(detections: Detections) -> None:
    """Allocated ids are not the ids of the file: the record with id 1 belongs to b.jpg, not to a.jpg."""
    unnumbered = (ImageInfo("a.jpg", 1, (10, 10)), ImageInfo("below/b.jpg", 2, (10, 10)))
    images = [{"id": 1, "file_name": "below/b.jpg"}, {"id": 2, "file_name": "a.jpg"}, {"id": []}, "image"]
    content = {"images": images, "annotations": [record(1), record(2, (0, 0, 5, 5))]}
    persons = find(detections, content, images=unnumbered)
    assert [(person.image.name, person.box[2]) for person in persons] == [("a.jpg", 5.0), ("below/b.jpg", 30.0)]


def test_boxes_of_an_image_of_another_size_are_an_error(detections: Detections) -> None:
    """This detects boxes of the stored pixels of an image with EXIF orientation; other images are not affected."""
    images = [{"id": 1, "file_name": "1.jpg", "height": 200, "width": 100}, {"id": 2, "height": 50, "width": 60}]
    content = {"images": images, "annotations": [record(1), record(2)]}
    with pytest.raises(ImageError, match=r"\(200, 100\)"):
        find(detections, content)
    assert len(find(detections, content, images=(TWO,))) == 1
    images[0].update(height=100, width=200)
    assert len(find(detections, content)) == 2


def test_results_are_matched_by_file_name(detections: Detections) -> None:
    unnumbered = (ImageInfo("a.jpg", 0, (10, 10)), ImageInfo("b.jpg", 1, (10, 10)))
    persons = find(detections, [record(0, file_name="b.jpg")], images=unnumbered)
    assert [person.image.name for person in persons] == ["b.jpg"]


def test_record_with_a_name_is_not_matched_by_number(detections: Detections) -> None:
    """The image 0007.jpg is missing; an image whose name is the number of the record does not match."""
    content = {"images": [{"id": 2, "file_name": "0007.jpg"}], "annotations": [record(2)]}
    assert find(detections, content, images=(ImageInfo("0002.jpg", 2, (10, 10)),)) == []


def test_number_without_an_image_of_this_name_has_no_match(detections: Detections) -> None:
    unnumbered = (ImageInfo("a.jpg", 1, (10, 10)), ONE)
    persons = find(detections, [record(1)], images=(ImageInfo("a.jpg", 2, (10, 10)), ImageInfo("b.jpg", 1, (10, 10))))
    assert persons == []
    assert [person.image for person in find(detections, [record(1)], images=unnumbered)] == [ONE]


def test_frames_are_not_matched_by_their_ids(detections: Detections) -> None:
    frames = (ImageInfo("1.mp4#1", 1, (10, 10)), ImageInfo("clip.mp4#1", 2, (10, 10)))
    assert find(detections, [record(1)], images=(*frames, ONE)) == find(detections, [record(1)], images=(ONE,))


def test_images_are_matched_by_the_number_in_the_name_and_not_by_id(detections: Detections) -> None:
    assert find(detections, [record(2)], images=(ImageInfo("b/1.jpg", 2, (10, 10)),)) == []
    with pytest.raises(DataError, match="number"):
        find(detections, [record(1)], images=(ImageInfo("a/1.jpg", 1, (10, 10)), ImageInfo("b/1.jpg", 2, (10, 10))))


def test_missing_file_is_named(detections: Detections) -> None:
    assert not detections.is_finished()
    with pytest.raises(DataError, match=r"boxes\.json"):
        detect(BoxesFile(BoxesFileOptions()), IMAGES, detections)


@pytest.mark.parametrize("content", [{"images": []}, 3], ids=["object", "number"])
def test_another_kind_of_file_is_refused(detections: Detections, content: Any) -> None:
    with pytest.raises(DataError, match="COCO"):
        find(detections, content)
