"""Tests of posescope.prediction.predictor."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.crop_predictions import PredictionOptions
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.poses import DetectedPerson, ImageInfo, PersonPose
from posescope.prediction.predictor import predict_people

OPTIONS = PredictionOptions(device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    (tmp_path / "images").mkdir()
    return ImageFolder(tmp_path / "images")


def centre_of_cell(value: float, first: int, side: int, size: int = 64) -> float:
    """Image px of the centre of the crop pixel that holds the image px `value`: what a perfect arg-max gives back."""
    cell = np.floor((value + 0.5 - first) * size / side)
    return float((cell + 0.5) * side / size + first - 0.5)


def pose(model: PoseModel, folder: ImageFolder, persons: list[DetectedPerson], **options: Any) -> list[PersonPose]:
    return list(predict_people(model, folder, persons, OPTIONS.model_copy(update=options)))


def test_a_person_in_a_big_image_is_found_where_it_is(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    red, green = (377, 251), (460, 180)
    write_image("7.png", (480, 640), red, green)
    info = ImageInfo("7.png", 7, (480, 640))
    # Centre (419.5, 219.5); side 1.1 * 200 = 220; first pixel 419.5 - 110 + 0.5 = 310 and 110.
    (posed,) = pose(spots, folder, [DetectedPerson(info, (319.5, 119.5, 200.0, 160.0 + 40.0), 0.5)])
    expected = [[centre_of_cell(x, 310, 220), centre_of_cell(y, 110, 220)] for x, y in (red, green)]
    np.testing.assert_allclose(posed.joints, expected, atol=1e-4)
    # A crop pixel is 220 / 64 = 3.4 image px wide; whatever lies in it is at most half of that away.
    assert np.abs(posed.joints - [red, green]).max() <= 0.5 * 220 / 64
    # INTER_AREA: the one bright pixel is averaged over (220 / 64)^2 = 11.8 px, some of it in the neighbours.
    assert (posed.scores > 0.02).all()
    assert (posed.scores <= (64 / 220) ** 2 + 0.5 / 255).all()


def test_at_the_size_of_the_crop_the_answer_is_exact(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    # Longer side 58.2 grown by 10 % = 64.02, rounded 64: a crop pixel is an image pixel. Centre (49.5, 39.5), first (18, 8).
    write_image("1.png", (90, 120), red=(20, 60), green=(79, 10))
    info = ImageInfo("1.png", 1, (90, 120))
    (posed,) = pose(spots, folder, [DetectedPerson(info, (20.4, 14.5, 58.2, 50.0), 0.5)])
    np.testing.assert_allclose(posed.joints, [[20, 60], [79, 10]], atol=1e-9)
    np.testing.assert_allclose(posed.scores, [1.0, 1.0])
    assert posed.score == pytest.approx(0.5), "mean joint score (1) times the score of the box"


def test_a_square_that_reaches_outside_is_padded(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    # Centre (9.5, 9.5): first pixel -22; most of the crop is padding, duller than the marks.
    write_image("1.png", (40, 40), red=(0, 0), green=(30, 3))
    info = ImageInfo("1.png", 1, (40, 40))
    (posed,) = pose(spots, folder, [DetectedPerson(info, (-19.6, 0.0, 58.2, 19.0))])
    np.testing.assert_allclose(posed.joints, [[0, 0], [30, 3]], atol=1e-9)


def test_margin_and_padding_are_those_of_the_models_crops(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    rule = ComponentSpec(name="centred_square", options={"margin": 1.0})
    model = replace(spots, crop=CropRecipe(rule=rule, padding_rgb=(10, 250, 0)))
    image = write_image("1.png", (24, 24), red=(5, 6), green=(20, 3))
    image[3, 20] = 0
    assert cv2.imwrite(str(folder.root / "1.png"), image[..., ::-1])
    # Longer side 32 doubled is the crop's 64 px; centre (11.5, 11.5), so the first pixel of the crop is (-20, -20).
    (posed,) = pose(model, folder, [DetectedPerson(ImageInfo("1.png", 1, (24, 24)), (-4.5, -4.5, 32.0, 32.0))])
    # Red is the image's own mark; the greenest pixel is the first one of the padding.
    np.testing.assert_allclose(posed.joints, [[5, 6], [-20, -20]], atol=1e-9)
    np.testing.assert_allclose(posed.scores, [1.0, 250 / 255], atol=1e-6)


@pytest.mark.parametrize(("flip_test", "warnings"), [(True, 1), (False, 0)])
def test_a_flip_test_without_mirrored_pairs_is_warned_of_once(
    flip_test: bool, warnings: int, spots: PoseModel, folder: ImageFolder, write_image: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write_image("1.png", (40, 40), red=(0, 0), green=(30, 3))
    persons = [DetectedPerson(ImageInfo("1.png", 1, (40, 40)), (0.0, 0.0, 20.0, 20.0))] * 2
    model = replace(spots, skeleton=replace(spots.skeleton, joints=("LHand", "RHand")))
    with caplog.at_level(logging.WARNING, logger="posescope"):
        pose(model, folder, persons, batch_size=1, flip_test=flip_test)
    assert sum("flip_test mirrors people" in record.getMessage() for record in caplog.records) == warnings


def test_people_come_back_in_order_whatever_the_batch(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    boxes = [(20.4, 14.5, 58.2, 50.0), (15.4, 10.5, 58.2, 50.0), (25.4, 20.5, 58.2, 50.0)]
    write_image("1.png", (90, 120), red=(40, 40), green=(50, 42))
    write_image("2.png", (90, 120), red=(41, 43), green=(52, 44))
    persons = [DetectedPerson(ImageInfo(f"{i}.png", i, (90, 120)), box) for i in (1, 2) for box in boxes]
    whole, single = pose(spots, folder, persons), pose(spots, folder, persons, batch_size=2)
    assert [posed.person for posed in whole] == [posed.person for posed in single] == persons
    expected = [[[40, 40], [50, 42]]] * 3 + [[[41, 43], [52, 44]]] * 3
    for found in (whole, single):
        np.testing.assert_allclose([posed.joints for posed in found], expected, atol=1e-9)


def test_flip_test_averages_with_the_mirrored_image(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    write_image("1.png", (90, 120), red=(20, 60), green=(79, 10))
    info = ImageInfo("1.png", 1, (90, 120))
    (posed,) = pose(spots, folder, [DetectedPerson(info, (20.4, 14.5, 58.2, 50.0))], flip_test=True)
    # Mirrored twice, a colour is where it was, under the other hand's name: each map is the mean of red and green, 0.5 high,
    # and of two equal peaks the upper one is taken.
    np.testing.assert_allclose(posed.joints, [[79, 10], [79, 10]], atol=1e-9)
    np.testing.assert_allclose(posed.scores, [0.5, 0.5])


def test_nobody_is_nobody(spots: PoseModel, folder: ImageFolder) -> None:
    assert pose(spots, folder, []) == []
