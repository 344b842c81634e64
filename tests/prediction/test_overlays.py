"""Tests of posescope.prediction.overlays."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.drawing.rgb_images import DrawingError
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.image_io.video import VideoFile, open_video_writer
from posescope.prediction.overlays import OverlayFolder, OverlayWriter
from posescope.prediction.poses import DetectedPerson, ImagePoses, PersonPose


def image(name: str = "7.png", size: tuple[int, int] = (60, 80)) -> NamedImage:
    """Return a black image with one red pixel."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[1, 1] = (255, 0, 0)
    return NamedImage(name, pixels, 7)


def poses(spots: PoseModel, named: NamedImage, *shifts: float, scores: tuple[float, float] = (0.75, 0.25)) -> ImagePoses:
    persons = []
    for shift in shifts:
        joints = np.array([[20.25, 30.0], [50.0, 40.5]]) + shift
        person = DetectedPerson(named.info, (9.5, 19.5, 30.0, 40.0), 0.5)
        persons.append(PersonPose(person, joints, np.array(scores, np.float32), joints.astype(np.float32)))
    return ImagePoses(named.info, tuple(persons), spots.skeleton)


def test_overlay_shows_all_persons_of_its_image(tmp_path: Path, spots: PoseModel) -> None:
    assert not OverlayFolder(tmp_path / "overlays").is_finished()
    with OverlayWriter(tmp_path / "overlays") as overlays:
        overlays.draw(image(), poses(spots, image(), 0, 10))
        overlays.draw(image("below/8.jpg"), poses(spots, image("below/8.jpg"), 0))
    assert OverlayFolder(tmp_path / "overlays").is_finished()
    written = sorted(str(path.relative_to(tmp_path / "overlays")) for path in (tmp_path / "overlays").rglob("*.png"))
    assert written == ["7.png.png", "below/8.jpg.png"]
    overlay = cv2.imread(str(tmp_path / "overlays" / "7.png.png"))[..., ::-1]
    assert overlay.shape == (60, 80, 3)
    # Left hands are orange (red above blue) and right hands blue, for both persons; the red pixel of the image is unchanged.
    assert all(overlay[y, x, 0] > 150 > overlay[y, x, 2] for x, y in ((20, 30), (30, 40)))
    assert all(overlay[y, x, 2] > 150 > overlay[y, x, 0] for x, y in ((50, 40), (60, 50)))
    np.testing.assert_array_equal(overlay[1, 1], (255, 0, 0))


def test_images_that_differ_only_in_suffix_have_separate_overlays(tmp_path: Path, spots: PoseModel) -> None:
    with OverlayWriter(tmp_path) as overlays:
        for named in (image("7.jpg", (50, 70)), image("7.png")):
            overlays.draw(named, poses(spots, named, 0))
    assert {path.name: cv2.imread(str(path)).shape[:2] for path in tmp_path.glob("*.png")} == {
        "7.jpg.png": (50, 70),
        "7.png.png": (60, 80),
    }


@pytest.mark.parametrize(("empty_images", "written"), [(True, 1), (False, 0)])
def test_images_without_persons_are_written_if_requested(
    empty_images: bool, written: int, tmp_path: Path, spots: PoseModel
) -> None:
    with OverlayWriter(tmp_path, empty_images=empty_images) as overlays:
        overlays.draw(image(), poses(spots, image()))
    assert len(list(tmp_path.glob("*.png"))) == written


def test_persons_below_the_threshold_are_counted(tmp_path: Path, spots: PoseModel) -> None:
    with OverlayWriter(tmp_path, min_score=0.5) as overlays:
        overlays.draw(image(), poses(spots, image(), 0))
        overlays.draw(image("8.png"), poses(spots, image("8.png"), 0, 1, scores=(0.4, 0.4)))
    messages: list[str] = []
    overlays.warn_about_undrawn(3, "--threshold", messages.append)
    assert overlays.undrawn == 2
    assert len(messages) == 1
    assert "2 of 3" in messages[0]


def test_pixels_of_the_image_are_not_changed(tmp_path: Path, spots: PoseModel) -> None:
    named = image()
    with OverlayWriter(tmp_path) as overlays:
        overlays.draw(named, poses(spots, named, 0))
    np.testing.assert_array_equal(named.pixels, image().pixels)


def test_overlay_that_cannot_be_written_is_an_error(tmp_path: Path, spots: PoseModel) -> None:
    (tmp_path / "7.png.png").mkdir()
    with pytest.raises((DrawingError, OSError)), OverlayWriter(tmp_path) as overlays:
        overlays.draw(image(), poses(spots, image(), 0))


def test_video_with_a_frame_of_another_size_is_an_error_and_not_written(tmp_path: Path, spots: PoseModel) -> None:
    def write() -> None:
        with OverlayWriter(tmp_path / "overlays") as overlays:
            for index, size in enumerate(((60, 80), (80, 60))):
                named = replace(image(f"a.mp4#{index}", size), video=VideoFile(tmp_path / "a.mp4"), time_s=index / 25)
                overlays.draw(named, poses(spots, named, 0))

    with open_video_writer(tmp_path / "a.mp4", 25, (60, 80)) as append:
        append(image().pixels)
    with pytest.raises(DataError):
        write()
    assert list((tmp_path / "overlays").glob("*.webm")) == []
