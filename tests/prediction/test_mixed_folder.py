"""A folder of whatever people have: every picture is posed or named, and the rest goes on."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.artifacts.pose_model import PoseModel
from posescope.prediction.crop_predictions import PredictionOptions
from posescope.prediction.detectors.detector import BoxesFile, BoxesFileOptions, Detections, FullImage, FullImageOptions
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.overlays import OverlayFolder
from posescope.prediction.poses import pose_results
from posescope.prediction.prediction_run import find_persons_in
from posescope.prediction.predictor import predict_people

BACKGROUND = (20, 20, 20)
OPTIONS = PredictionOptions(device="cpu")
NOWHERE = Detections(Path("none"))
Write = Callable[[Path], object]


def scene(size: tuple[int, int], red: tuple[float, float], green: tuple[float, float]) -> Image.Image:
    """Dark, with a red and a green square, a tenth of the height high, centred there; places are shares of the size."""
    height, width = size
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    half = height // 20
    for (x, y), colour in ((red, (250, 20, 20)), (green, (20, 250, 20))):
        column, row = round(x * width), round(y * height)
        image[row - half : row + half, column - half : column + half] = colour
    return Image.fromarray(image)


RED, GREEN = (0.25, 0.25), (0.75, 0.5)
SCENE = scene((80, 80), RED, GREEN)


def transparent(path: Path) -> None:
    """The scene's background is transparent, with noise below."""
    colours = np.asarray(SCENE).copy()
    clear = (colours == BACKGROUND).all(axis=2)
    colours[clear] = np.random.default_rng(0).integers(0, 256, (clear.sum(), 3))
    Image.fromarray(np.dstack([colours, np.where(clear, 0, 255).astype(np.uint8)])).save(path)


def sixteen_bits(path: Path) -> None:
    assert cv2.imwrite(str(path), np.asarray(SCENE)[..., ::-1].astype(np.uint16) * 257)


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    SCENE.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=100)


READABLE: dict[str, Write] = {
    "cmyk.jpg": lambda path: SCENE.convert("CMYK").save(path, quality=100),
    "deep.png": sixteen_bits,
    "gif.gif": lambda path: SCENE.quantize(16).save(path),
    "palette.png": lambda path: SCENE.quantize(16).save(path),
    "plain.jpg": lambda path: SCENE.save(path, quality=100),
    "turned.jpg": turned,
}
# What a picture of one colour, or without one, says of two hands is anybody's guess: it must only come to an end.
ODD: dict[str, Write] = {
    "grey.jpg": lambda path: SCENE.convert("L").save(path),
    "one.png": lambda path: Image.new("RGB", (1, 1), "red").save(path),
    "transparent.png": transparent,
}
BAD: dict[str, Write] = {
    "cut.jpg": lambda path: path.write_bytes(Path(path.parent / "plain.jpg").read_bytes()[:900]),
    "empty.png": lambda path: path.write_bytes(b""),
    "text.jpg": lambda path: path.write_text("a shopping list"),
}


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    root = tmp_path / "images"
    root.mkdir()
    for name, write in {**READABLE, **ODD, **BAD}.items():
        write(root / name)
    (root / "notes.txt").write_text("not asked for")
    return ImageFolder(root)


def test_everything_is_posed_or_named(
    folder: ImageFolder, spots: PoseModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="posescope"):
        persons = list(find_persons_in(folder, FullImage(FullImageOptions()), NOWHERE))
    posed = {one.person.image.name: one for one in predict_people(spots, folder, persons, OPTIONS)}
    assert set(posed) == {*READABLE, *ODD}
    for name in READABLE:
        # The squares span 8 px around the place; which of their equal pixels is taken is not said.
        np.testing.assert_allclose(posed[name].joints, [(20, 20), (60, 40)], atol=6, err_msg=name)
    named = [record.getMessage() for record in caplog.records]
    assert all(message.startswith("left out: ") and name in message for message, name in zip(named, sorted(BAD), strict=True))
    json.dumps(pose_results(list(posed.values()), spots.skeleton), allow_nan=False)
    overlays = OverlayFolder(tmp_path / "overlays")
    overlays.draw(list(posed.values()), folder, spots.skeleton)
    assert {path.name for path in overlays.root.glob("*.png")} == {f"{name}.png" for name in posed}


def test_twenty_megapixels(tmp_path: Path, spots: PoseModel) -> None:
    scene((4000, 5000), RED, GREEN).save(tmp_path / "large.jpg")
    folder = ImageFolder(tmp_path)
    (posed,) = predict_people(spots, folder, list(find_persons_in(folder, FullImage(FullImageOptions()), NOWHERE)), OPTIONS)
    assert posed.person.image.size == (4000, 5000)
    np.testing.assert_allclose(posed.joints, [(1250, 1000), (3750, 2000)], atol=300)


def test_two_boxes_in_one_picture_are_two_poses(tmp_path: Path, spots: PoseModel) -> None:
    """Each box has its own red and green square, and sees those of nobody else."""
    pair = Image.new("RGB", (240, 100), BACKGROUND)
    pair.paste(SCENE, (10, 10))
    pair.paste(SCENE.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (150, 10))
    (tmp_path / "images").mkdir()
    pair.save(tmp_path / "images" / "pair.png")
    detections, folder = Detections(tmp_path / "boxes.json"), ImageFolder(tmp_path / "images")
    boxes = [{"file_name": "pair.png", "bbox": [left, 10, 80, 80], "score": score} for left, score in ((150, 0.5), (10, 1.0))]
    detections.root.write_text(json.dumps(boxes))
    persons = list(find_persons_in(folder, BoxesFile(BoxesFileOptions()), detections))
    right, left = predict_people(spots, folder, persons, OPTIONS)
    np.testing.assert_allclose(left.joints, [(30, 30), (70, 50)], atol=6)
    np.testing.assert_allclose(right.joints, [(210, 30), (170, 50)], atol=6)
    assert (left.person.score, right.person.score) == (1.0, 0.5)
