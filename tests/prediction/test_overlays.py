"""Tests of posescope.prediction.overlays."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posescope.artifacts.pose_model import PoseModel
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.overlays import OverlayFolder
from posescope.prediction.poses import DetectedPerson, ImageInfo, PersonPose, pose_results

INFO = ImageInfo("7.png", 7, (60, 80))


def posed(
    box: tuple[float, float, float, float] = (9.5, 19.5, 30.0, 40.0), info: ImageInfo = INFO, shift: float = 0
) -> PersonPose:
    joints = np.array([[20.25, 30.0], [50.0, 40.5]]) + shift
    return PersonPose(DetectedPerson(info, box, 0.5), joints, np.array([0.75, 0.25], dtype=np.float32))


def test_results_are_cocos(spots: PoseModel) -> None:
    assert pose_results([posed()], spots.skeleton) == [
        {
            "image_id": 7,
            "file_name": "7.png",
            "category_id": 5,
            "keypoints": [20.25, 30.0, 0.75, 50.0, 40.5, 0.25],
            "score": 0.25,
            "bbox": [10.0, 20.0, 30.0, 40.0],
        }
    ]


def test_results_are_plain_json(spots: PoseModel) -> None:
    results = pose_results([posed(), posed()], spots.skeleton)
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_nobody_has_no_results(spots: PoseModel) -> None:
    assert pose_results([], spots.skeleton) == []


@pytest.fixture
def images(tmp_path: Path, write_image: Any) -> ImageFolder:
    write_image("7.png", (60, 80), (1, 1), (2, 2))
    write_image("below/8.jpg", (60, 80), (1, 1), (2, 2))
    return ImageFolder(tmp_path / "images")


def test_overlays_show_everybody_of_an_image(tmp_path: Path, spots: PoseModel, images: ImageFolder) -> None:
    overlays = OverlayFolder(tmp_path / "overlays")
    assert not overlays.is_finished()
    other = ImageInfo("below/8.jpg", 8, (60, 80))
    overlays.draw([posed(), posed(shift=10), posed(info=other)], images, spots.skeleton)
    assert overlays.is_finished()
    assert sorted(str(path.relative_to(overlays.root)) for path in overlays.root.rglob("*.png")) == [
        "7.png.png",
        "below/8.jpg.png",
    ]
    overlay = cv2.imread(str(overlays.root / "7.png.png"))[..., ::-1]
    assert overlay.shape == (60, 80, 3)
    # The left hand is orange (red over blue), the right one blue: both people's are there, as is the image's own red pixel.
    assert all(overlay[y, x, 0] > 150 > overlay[y, x, 2] for x, y in ((20, 30), (30, 40)))
    assert all(overlay[y, x, 2] > 150 > overlay[y, x, 0] for x, y in ((50, 40), (60, 50)))
    np.testing.assert_array_equal(overlay[1, 1], (255, 0, 0))


def test_images_that_differ_in_the_suffix_alone_have_an_overlay_each(
    tmp_path: Path, spots: PoseModel, images: ImageFolder, write_image: Any
) -> None:
    write_image("7.jpg", (50, 70), (1, 1), (2, 2))
    overlays = OverlayFolder(tmp_path / "overlays")
    overlays.draw([posed(info=ImageInfo("7.jpg", 7, (50, 70))), posed()], images, spots.skeleton)
    shapes = {path.name: cv2.imread(str(path)).shape[:2] for path in overlays.root.glob("*.png")}
    assert shapes == {"7.jpg.png": (50, 70), "7.png.png": (60, 80)}


def test_overlays_of_an_earlier_run_go(tmp_path: Path, spots: PoseModel, images: ImageFolder) -> None:
    overlays = OverlayFolder(tmp_path / "overlays")
    overlays.draw([posed(info=ImageInfo("below/8.jpg", 8, (60, 80)))], images, spots.skeleton)
    overlays.draw([posed()], images, spots.skeleton)
    assert [path.name for path in overlays.root.rglob("[!.]*")] == ["7.png.png"]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_no_people_leave_an_empty_finished_folder(tmp_path: Path, spots: PoseModel, images: ImageFolder) -> None:
    overlays = OverlayFolder(tmp_path / "overlays")
    overlays.draw([], images, spots.skeleton)
    assert overlays.is_finished()
    assert list(overlays.root.glob("[!.]*")) == []


def test_the_image_itself_is_left_alone(tmp_path: Path, spots: PoseModel, images: ImageFolder) -> None:
    before = (images.root / "7.png").read_bytes()
    OverlayFolder(tmp_path / "overlays").draw([posed()], images, spots.skeleton)
    assert (images.root / "7.png").read_bytes() == before
