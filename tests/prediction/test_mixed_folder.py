"""Prediction of a folder with images of many formats and damaged files: each file is predicted, or skipped with a reason."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.core.plugins import Options
from posescope.prediction.detectors.boxes_file import BoxesFile, BoxesFileOptions
from posescope.prediction.detectors.detector import Detections, FullImage
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.image_io.image_source import ImageSource
from posescope.prediction.options import PredictionOptions
from posescope.prediction.overlays import OverlayFolder
from posescope.prediction.poses import PersonPose
from posescope.prediction.prediction_run import PredictionRun, predict_folder

BACKGROUND = (20, 20, 20)
NO_DETECTIONS = Detections(Path("none"))
Write = Callable[[Path], object]


def scene(size: tuple[int, int], red: tuple[float, float], green: tuple[float, float]) -> Image.Image:
    """Return a dark image with a red and a green square at positions in fractions of the size; a square has 0.1 of the height."""
    height, width = size
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    half = height // 20
    for (x, y), colour in ((red, (250, 20, 20)), (green, (20, 250, 20))):
        column, row = round(x * width), round(y * height)
        image[row - half : row + half, column - half : column + half] = colour
    return Image.fromarray(image)


RED, GREEN = (0.25, 0.25), (0.75, 0.5)
SCENE = scene((80, 80), RED, GREEN)


def save_transparent(path: Path) -> None:
    """Write the scene with a transparent background that has noise as its colours."""
    colours = np.asarray(SCENE).copy()
    background = (colours == BACKGROUND).all(axis=2)
    colours[background] = np.random.default_rng(0).integers(0, 256, (background.sum(), 3))
    Image.fromarray(np.dstack([colours, np.where(background, 0, 255).astype(np.uint8)])).save(path)


def save_sixteen_bits(path: Path) -> None:
    assert cv2.imwrite(str(path), np.asarray(SCENE)[..., ::-1].astype(np.uint16) * 257)


def save_rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    SCENE.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=100)


READABLE: dict[str, Write] = {
    "cmyk.jpg": lambda path: SCENE.convert("CMYK").save(path, quality=100),
    "deep.png": save_sixteen_bits,
    "gif.gif": lambda path: SCENE.quantize(16).save(path),
    "palette.png": lambda path: SCENE.quantize(16).save(path),
    "plain.jpg": lambda path: SCENE.save(path, quality=100),
    "rotated.jpg": save_rotated,
}
# The joints in images without red and green squares are undefined; the images must only be predicted without an error.
WITHOUT_COLOURS: dict[str, Write] = {
    "grey.jpg": lambda path: SCENE.convert("L").save(path),
    "one.png": lambda path: Image.new("RGB", (1, 1), "red").save(path),
    "transparent.png": save_transparent,
}
UNREADABLE: dict[str, Write] = {
    "truncated.jpg": lambda path: path.write_bytes(Path(path.parent / "plain.jpg").read_bytes()[:900]),
    "empty.png": lambda path: path.write_bytes(b""),
    "text.jpg": lambda path: path.write_text("no image"),
}


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    root = tmp_path / "images"
    root.mkdir()
    for name, write in {**READABLE, **WITHOUT_COLOURS, **UNREADABLE}.items():
        write(root / name)
    (root / "notes.txt").write_text("no image")
    return ImageFolder(root)


def predict(estimator: PoseEstimator, root: Path) -> list[PersonPose]:
    """Predict one person per image."""
    run = PredictionRun(ImageSource([root]), FullImage(Options()), NO_DETECTIONS, print)
    return [person for poses in run.predict(estimator.predictor(64)) for person in poses.persons]


def test_every_file_is_predicted_or_skipped_by_name(folder: ImageFolder, spots_estimator: PoseEstimator, tmp_path: Path) -> None:
    found = {pose.person.image.name: pose for pose in predict(spots_estimator, folder.root)}
    assert set(found) == {*READABLE, *WITHOUT_COLOURS}
    for name in READABLE:
        # A square has 8 px; which of its equal pixels is found is not specified.
        np.testing.assert_allclose(found[name].joints, [(20, 20), (60, 40)], atol=6, err_msg=name)
    overlays = OverlayFolder(tmp_path / "overlays")
    results, summary = predict_folder(
        spots_estimator, folder, FullImage(Options()), NO_DETECTIONS, overlays, PredictionOptions(batch_size=4)
    )
    json.dumps(results, allow_nan=False)
    assert [record["file_name"] for record in results] == sorted(found)
    assert {file["file_name"] for file in summary["skipped_files"]} == {*UNREADABLE, "notes.txt"}
    assert {path.name for path in overlays.root.glob("*.png")} == {f"{name}.png" for name in found}


def test_image_of_twenty_megapixels_is_predicted(tmp_path: Path, spots_estimator: PoseEstimator) -> None:
    scene((4000, 5000), RED, GREEN).save(tmp_path / "large.jpg")
    (found,) = predict(spots_estimator, tmp_path)
    assert found.person.image.size == (4000, 5000)
    np.testing.assert_allclose(found.joints, [(1250, 1000), (3750, 2000)], atol=300)


def test_two_boxes_in_one_image_are_two_poses(tmp_path: Path, spots_estimator: PoseEstimator) -> None:
    """Each box contains its own red and green square only."""
    pair = Image.new("RGB", (240, 100), BACKGROUND)
    pair.paste(SCENE, (10, 10))
    pair.paste(SCENE.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (150, 10))
    (tmp_path / "images").mkdir()
    pair.save(tmp_path / "images" / "pair.png")
    detections = Detections(tmp_path / "boxes.json")
    boxes = [{"file_name": "pair.png", "bbox": [left, 10, 80, 80], "score": score} for left, score in ((150, 0.5), (10, 1.0))]
    detections.root.write_text(json.dumps(boxes))
    run = PredictionRun(ImageSource([tmp_path / "images"]), BoxesFile(BoxesFileOptions()), detections, print)
    ((right, left),) = [poses.persons for poses in run.predict(spots_estimator.predictor())]
    np.testing.assert_allclose(left.joints, [(30, 30), (70, 50)], atol=6)
    np.testing.assert_allclose(right.joints, [(210, 30), (170, 50)], atol=6)
    assert (left.person.score, right.person.score) == (1.0, 0.5)
