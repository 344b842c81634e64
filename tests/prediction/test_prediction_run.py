"""Tests of posescope.prediction.prediction_run."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.data.images.limits import ImageError
from posescope.prediction.detectors.boxes_file import BoxesFile, BoxesFileOptions
from posescope.prediction.detectors.detector import Detections, FullImage
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.image_io.image_source import ImageSource
from posescope.prediction.options import PredictionOptions
from posescope.prediction.overlays import OverlayFolder
from posescope.prediction.poses import DetectedPerson, ImageInfo, ImagePoses
from posescope.prediction.prediction_run import GENERATED_IDS, PredictionRun, predict_folder

NO_FILE = Detections(Path("none"))
FULL_IMAGE = FullImage(Options())


@pytest.fixture
def folder(tmp_path: Path, write_image: Any) -> ImageFolder:
    for name in ("1.png", "2.png", "3.png"):
        write_image(name, (40, 30), (1, 1), (2, 2))
    return ImageFolder(tmp_path / "images")


class Session:
    """A prediction run over a folder with its messages."""

    def __init__(self, folder: ImageFolder, detector: Any, detections: Detections = NO_FILE, videos: bool = True) -> None:
        self.messages: list[str] = []
        self.run = PredictionRun(ImageSource([folder.root], videos=videos), detector, detections, self.messages.append)

    def predict(self, estimator: PoseEstimator, batch_size: int = 1) -> list[ImagePoses]:
        return list(self.run.predict(estimator.predictor(batch_size)))


def test_persons_of_a_boxes_file_are_returned_by_image(
    folder: ImageFolder, tmp_path: Path, spots_estimator: PoseEstimator
) -> None:
    boxes = [{"image_id": image, "bbox": [0, 0, side, 9]} for image, side in ((3, 5), (1, 6), (3, 7))]
    detections = Detections(tmp_path / "boxes.json")
    detections.root.write_text(json.dumps(boxes))
    session = Session(folder, BoxesFile(BoxesFileOptions()), detections)
    found = session.predict(spots_estimator)
    assert [(poses.image.name, poses.boxes[:, 2].tolist()) for poses in found] == [
        ("1.png", [6]),
        ("2.png", []),
        ("3.png", [5, 7]),
    ]
    session.run.warn_about_images_without_persons()
    assert session.messages[-1] == "No box for 1 of 3 images, such as 2.png."


def test_images_are_decoded_once_and_lazily(
    folder: ImageFolder, spots_estimator: PoseEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    read = ImageFolder.read

    def count_and_read(self: ImageFolder, name: str) -> NDArray[np.uint8]:
        reads[name] += 1
        return read(self, name)

    monkeypatch.setattr(ImageFolder, "read", count_and_read)
    found = Session(folder, FULL_IMAGE).run.predict(spots_estimator.predictor(1))
    assert next(found).image == ImageInfo("1.png", 1, (40, 30))
    assert reads == {"1.png": 1}
    assert len(list(found)) == 2
    assert reads == {"1.png": 1, "2.png": 1, "3.png": 1}


def test_box_outside_its_image_is_reported_and_skipped(folder: ImageFolder, spots_estimator: PoseEstimator) -> None:
    def detector(image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        boxes = {"1.png": [(29.5, 0.0, 5.0, 5.0), (29.4, 0.0, 5.0, 5.0)], "2.png": [(0.0, -9.5, 5.0, 9.0)]}
        return [DetectedPerson(info, box) for box in boxes.get(info.name, [(0.0, 0.0, 1.0, 1.0)])]

    session = Session(folder, detector)
    found = session.predict(spots_estimator)
    assert [(poses.image.name, poses.boxes[:, 0].tolist()) for poses in found] == [
        ("1.png", [29.9]),
        ("2.png", []),
        ("3.png", [0.5]),
    ]
    assert "1.png" in session.messages[0]
    assert "[30, 0.5, 5, 5]" in session.messages[0]
    assert "2.png" in session.messages[1]


def test_unreadable_image_is_reported_and_skipped(folder: ImageFolder, spots_estimator: PoseEstimator) -> None:
    (folder.root / "2.png").write_text("no image")
    session = Session(folder, FULL_IMAGE)
    assert [poses.image.name for poses in session.predict(spots_estimator)] == ["1.png", "3.png"]
    assert [file.name for file in session.run.skipped] == ["2.png"]
    assert len(session.messages) == 1


def test_image_refused_by_the_detector_is_reported(folder: ImageFolder, spots_estimator: PoseEstimator) -> None:
    def detector(image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        if info.name == "2.png":
            raise ImageError("a kind", "2.png: no answer.")
        return [DetectedPerson(info, (0.0, 0.0, 1.0, 1.0))]

    session = Session(folder, detector)
    assert [poses.image.name for poses in session.predict(spots_estimator)] == ["1.png", "3.png"]
    assert [(file.name, file.reason) for file in session.run.skipped] == [("2.png", "a kind")]


def predict(
    estimator: PoseEstimator, folder: ImageFolder, detector: Any = FULL_IMAGE, detections: Detections = NO_FILE
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    overlays = OverlayFolder(folder.root.parent / "overlays")
    return predict_folder(estimator, folder, detector, detections, overlays, PredictionOptions(), draw_threshold=0.2)


def test_folder_without_images_is_an_error(tmp_path: Path, spots_estimator: PoseEstimator) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        predict(spots_estimator, ImageFolder(tmp_path / "empty"))


def test_folder_of_unreadable_images_is_an_error(tmp_path: Path, spots_estimator: PoseEstimator) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_text("no image")
    with pytest.raises(DataError, match="none"):
        predict(spots_estimator, ImageFolder(tmp_path / "images"))
    assert not (tmp_path / "overlays").exists()


def test_summary_contains_every_file(folder: ImageFolder, tmp_path: Path, spots_estimator: PoseEstimator) -> None:
    (folder.root / "broken.png").write_text("no image")
    (folder.root / "notes.txt").write_text("no image")
    (folder.root / "clip.mp4").write_text("")
    detections = Detections(tmp_path / "boxes.json")
    images = [{"id": 70 + number, "file_name": f"{number}.png"} for number in (1, 2, 3)]
    boxes = [{"image_id": 70 + number, "category_id": 1, "bbox": [0, 0, 9, 9]} for number in (1, 3)]
    detections.root.write_text(json.dumps({"images": images, "annotations": boxes}))
    results, summary = predict(spots_estimator, folder, BoxesFile(BoxesFileOptions()), detections)
    assert summary["skipped_files"][0].pop("detail").startswith(f"{folder.root / 'broken.png'}: cannot be decoded")
    assert [(record["file_name"], record["image_id"]) for record in results] == [("1.png", 71), ("3.png", 73)]
    assert summary == {
        "images": 3,
        "persons": 2,
        "image_ids": f"those of {detections.root} for 3 of 4 images, else {GENERATED_IDS}",
        "skipped_files": [
            {"file_name": "broken.png", "reason": "image cannot be decoded"},
            {"file_name": "notes.txt", "reason": "no image or video by its suffix", "detail": ""},
            {"file_name": "clip.mp4", "reason": "video: only posescope predict reads videos", "detail": ""},
        ],
        "notes": [],
    }


def test_boxes_outside_all_images_are_an_error(folder: ImageFolder, tmp_path: Path, spots_estimator: PoseEstimator) -> None:
    detections = Detections(tmp_path / "boxes.json")
    for record in ({"file_name": "1.png", "bbox": [50, 0, 5, 5]}, {"file_name": "else.png", "bbox": [0, 0, 5, 5]}):
        detections.root.write_text(json.dumps([record]))
        with pytest.raises(DataError, match="box"):
            predict(spots_estimator, folder, BoxesFile(BoxesFileOptions()), detections)


def test_overlays_of_images_with_persons_replace_those_of_an_earlier_run(
    folder: ImageFolder, tmp_path: Path, spots_estimator: PoseEstimator
) -> None:
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "old.png").write_text("")
    detections = Detections(tmp_path / "boxes.json")
    detections.root.write_text(json.dumps([{"file_name": "1.png", "bbox": [0, 0, 30, 40]}]))
    predict(spots_estimator, folder, BoxesFile(BoxesFileOptions()), detections)
    assert [path.name for path in (tmp_path / "overlays").rglob("[!.]*")] == ["1.png.png"]
    assert cv2.imread(str(tmp_path / "overlays" / "1.png.png")).shape == (40, 30, 3)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
