"""Tests of posescope.prediction.prediction_run."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.data.images.decoding import ImageError
from posescope.prediction.detectors.detector import BoxesFile, BoxesFileOptions, Detections, FullImage, FullImageOptions
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.poses import DetectedPerson, ImageInfo
from posescope.prediction.prediction_run import GENERATED_IDS, find_in_folder, find_persons_in


@pytest.fixture
def folder(tmp_path: Path, write_image: Any) -> ImageFolder:
    for name in ("1.png", "2.png", "3.png"):
        write_image(name, (40, 30), (1, 1), (2, 2))
    return ImageFolder(tmp_path / "images")


def test_everybody_of_a_file_image_by_image(folder: ImageFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    boxes = [{"image_id": image, "bbox": [0, 0, side, 9]} for image, side in ((3, 5), (1, 6), (3, 7))]
    detections = Detections(tmp_path / "boxes.json")
    detections.root.write_text(json.dumps(boxes))
    with caplog.at_level(logging.WARNING, logger="posescope"):
        persons = list(find_persons_in(folder, BoxesFile(BoxesFileOptions()), detections))
    assert [(person.image.name, person.box[2]) for person in persons] == [("1.png", 6.0), ("3.png", 5.0), ("3.png", 7.0)]
    assert f"{folder.root}: no box for 1 of 3 images, 2.png for one" in caplog.text


def test_the_detector_sees_each_image_once_and_the_next_only_when_asked(folder: ImageFolder) -> None:
    seen: list[tuple[ImageInfo, NDArray[np.uint8]]] = []

    def detector(image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        seen.append((info, image))
        return [DetectedPerson(info, (0.0, 0.0, 1.0, 1.0))] * 2

    persons = find_persons_in(folder, detector, Detections(Path("none")))
    next(persons)
    assert [info.name for info, _ in seen] == ["1.png"]
    assert len(list(persons)) == 5
    assert [info for info, _ in seen] == [ImageInfo(f"{number}.png", number, (40, 30)) for number in (1, 2, 3)]
    assert tuple(seen[0][1][1, 1]) == (255, 0, 0)


def test_a_box_outside_its_picture_is_named_and_left_out(folder: ImageFolder, caplog: pytest.LogCaptureFixture) -> None:
    def detector(image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        boxes = {"1.png": [(29.5, 0.0, 5.0, 5.0), (29.4, 0.0, 5.0, 5.0)], "2.png": [(0.0, -9.5, 5.0, 9.0)]}
        return [DetectedPerson(info, box) for box in boxes.get(info.name, [(0.0, 0.0, 1.0, 1.0)])]

    with caplog.at_level(logging.WARNING, logger="posescope"):
        persons = list(find_persons_in(folder, detector, Detections(Path("none"))))
    assert [(person.image.name, person.box[0]) for person in persons] == [("1.png", 29.4), ("3.png", 0.0)]
    assert (
        "1.png: left out, outside the picture of (40, 30) px or far larger: 1 of its boxes, [30, 0.5, 5, 5] for one"
        in caplog.text
    )
    assert "2.png: left out, outside the picture" in caplog.text


def test_a_broken_image_is_named_and_the_rest_goes_on(folder: ImageFolder, caplog: pytest.LogCaptureFixture) -> None:
    (folder.root / "2.png").write_text("no image")
    with caplog.at_level(logging.WARNING, logger="posescope"):
        persons = list(find_persons_in(folder, FullImage(FullImageOptions()), Detections(Path("none"))))
    assert [person.image.name for person in persons] == ["1.png", "3.png"]
    assert [record.getMessage() for record in caplog.records] == [
        f"left out: {folder.root / '2.png'}: cannot be decoded as an image."
    ]


def test_an_image_that_the_detector_cannot_answer_for_is_named(folder: ImageFolder, caplog: pytest.LogCaptureFixture) -> None:
    def detector(image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        if info.name == "2.png":
            raise ImageError("a kind", "2.png: cannot be answered for.")
        return [DetectedPerson(info, (0.0, 0.0, 1.0, 1.0))]

    with caplog.at_level(logging.WARNING, logger="posescope"):
        persons = list(find_persons_in(folder, detector, Detections(Path("none"))))
    assert [person.image.name for person in persons] == ["1.png", "3.png"]
    assert [record.getMessage() for record in caplog.records] == ["left out: 2.png: cannot be answered for."]


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images here"):
        list(find_persons_in(ImageFolder(tmp_path), FullImage(FullImageOptions()), Detections(Path("none"))))


def test_an_account_of_a_folder(folder: ImageFolder, tmp_path: Path) -> None:
    (folder.root / "broken.png").write_text("no image")
    (folder.root / "notes.txt").write_text("no image")
    (folder.root / "clip.mp4").write_text("")
    detections = Detections(tmp_path / "boxes.json")
    images = [{"id": 70 + number, "file_name": f"{number}.png"} for number in (1, 2, 3)]
    boxes = [{"image_id": 70 + number, "category_id": 1, "bbox": [0, 0, 9, 9]} for number in (1, 3)]
    detections.root.write_text(json.dumps({"images": images, "annotations": boxes}))
    found = find_in_folder(folder, BoxesFile(BoxesFileOptions()), detections)
    assert [(person.image.name, person.image.image_id) for person in found.persons] == [("1.png", 71), ("3.png", 73)]
    assert found.summary.to_dict() == {
        "images": 3,
        "persons": 2,
        "image_ids": f"those of {detections.root} for 3 of 4 images, else {GENERATED_IDS}",
        "skipped_files": [
            {"file_name": "notes.txt", "reason": "no image or video by its suffix", "detail": ""},
            {"file_name": "clip.mp4", "reason": "video: only posescope predict poses videos", "detail": ""},
            {
                "file_name": "broken.png",
                "reason": "image cannot be decoded",
                "detail": f"{folder.root / 'broken.png'}: cannot be decoded as an image.",
            },
        ],
        "notes": [],
    }


def test_boxes_that_lie_in_no_picture_are_an_error(folder: ImageFolder, tmp_path: Path) -> None:
    detections = Detections(tmp_path / "boxes.json")
    detections.root.write_text(json.dumps([{"file_name": "1.png", "bbox": [50, 0, 5, 5]}]))
    with pytest.raises(DataError, match=r"found no person to pose: no box of .* is in a readable image"):
        find_in_folder(folder, BoxesFile(BoxesFileOptions()), detections)
    detections.root.write_text(json.dumps([{"file_name": "else.png", "bbox": [0, 0, 5, 5]}]))
    with pytest.raises(DataError, match="none of its 1 record is a box of the 3 images"):
        find_in_folder(folder, BoxesFile(BoxesFileOptions()), detections)
