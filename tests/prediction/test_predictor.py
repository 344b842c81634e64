"""Tests of posescope.prediction.predictor."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.plugins import ComponentSpec
from posescope.core.records import CropJoints
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction import predictor
from posescope.prediction.backends.torch_backend import TorchBackend
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.poses import DetectedPerson, ImageInfo, PersonPose
from posescope.prediction.predictor import ImagePersons, PosedImage, Predictor


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    (tmp_path / "images").mkdir()
    return ImageFolder(tmp_path / "images")


def centre_of_crop_px(value: float, first: int, side: int, size: int = 64) -> float:
    """Return the image px at the centre of the crop px that contains the image px `value`, as found by an exact arg-max."""
    crop_px = np.floor((value + 0.5 - first) * size / side)
    return float((crop_px + 0.5) * side / size + first - 0.5)


def pose(model: PoseModel, folder: ImageFolder, persons: list[DetectedPerson], **options: Any) -> list[PersonPose]:
    engine = Predictor(model, TorchBackend(model), **options)
    images = [
        ImagePersons(NamedImage(image.name, folder.read(image.name), image.image_id), list(group))
        for image, group in groupby(persons, key=lambda person: person.image)
    ]
    return [person_pose for posed in engine.predict_images(images) for person_pose in posed.poses.persons]


def test_person_in_a_large_image_is_found_at_its_position(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    red, green = (377, 251), (460, 180)
    write_image("7.png", (480, 640), red, green)
    info = ImageInfo("7.png", 7, (480, 640))
    # Centre (419.5, 219.5); side 1.1 * 200 = 220; first pixel 419.5 - 110 + 0.5 = 310 and 110.
    (posed,) = pose(spots, folder, [DetectedPerson(info, (319.5, 119.5, 200.0, 160.0 + 40.0), 0.5)])
    expected = [[centre_of_crop_px(x, 310, 220), centre_of_crop_px(y, 110, 220)] for x, y in (red, green)]
    np.testing.assert_allclose(posed.joints, expected, atol=1e-4)
    # A crop px has 220 / 64 = 3.4 image px, so that the error is at most half of that.
    assert np.abs(posed.joints - [red, green]).max() <= 0.5 * 220 / 64
    # INTER_AREA averages the bright pixel over (220 / 64)^2 = 11.8 px, partly in the neighbouring crop px.
    assert (posed.scores > 0.02).all()
    assert (posed.scores <= (64 / 220) ** 2 + 0.5 / 255).all()


def test_joints_are_exact_if_a_crop_px_is_an_image_px(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    # The longer side 58.2 plus 10 % is rounded to 64 px, the crop size. Centre (49.5, 39.5), first pixel (18, 8).
    write_image("1.png", (90, 120), red=(20, 60), green=(79, 10))
    info = ImageInfo("1.png", 1, (90, 120))
    (posed,) = pose(spots, folder, [DetectedPerson(info, (20.4, 14.5, 58.2, 50.0), 0.5)])
    np.testing.assert_allclose(posed.joints, [[20, 60], [79, 10]], atol=1e-9)
    np.testing.assert_allclose(posed.scores, [1.0, 1.0])
    assert posed.score == pytest.approx(0.5), "mean joint score (1) times the score of the box"


def test_crop_box_that_extends_beyond_the_image_is_padded(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    # Centre (9.5, 9.5), first pixel -22; most of the crop is padding, which is darker than the marks.
    write_image("1.png", (40, 40), red=(0, 0), green=(30, 3))
    info = ImageInfo("1.png", 1, (40, 40))
    (posed,) = pose(spots, folder, [DetectedPerson(info, (-19.6, 0.0, 58.2, 19.0))])
    np.testing.assert_allclose(posed.joints, [[0, 0], [30, 3]], atol=1e-9)


def test_margin_and_padding_are_those_of_the_crop_recipe(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    rule = ComponentSpec(name="centred_square", options={"margin": 1.0})
    model = replace(spots, crop=CropRecipe(rule=rule, padding_rgb=(10, 250, 0)))
    image = write_image("1.png", (24, 24), red=(5, 6), green=(20, 3))
    image[3, 20] = 0
    assert cv2.imwrite(str(folder.root / "1.png"), image[..., ::-1])
    # The longer side 32 is doubled to 64 px; the centre is (11.5, 11.5), hence the first pixel (-20, -20).
    (posed,) = pose(model, folder, [DetectedPerson(ImageInfo("1.png", 1, (24, 24)), (-4.5, -4.5, 32.0, 32.0))])
    # The reddest pixel is in the image; the greenest one is the first pixel of the padding.
    np.testing.assert_allclose(posed.joints, [[5, 6], [-20, -20]], atol=1e-9)
    np.testing.assert_allclose(posed.scores, [1.0, 250 / 255], atol=1e-6)


@pytest.mark.parametrize(("flip_test", "warnings"), [(True, 1), (False, 0)])
def test_flip_test_without_flip_pairs_is_warned_of_once(
    flip_test: bool, warnings: int, spots: PoseModel, folder: ImageFolder, write_image: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write_image("1.png", (40, 40), red=(0, 0), green=(30, 3))
    persons = [DetectedPerson(ImageInfo("1.png", 1, (40, 40)), (0.0, 0.0, 20.0, 20.0))] * 2
    model = replace(spots, skeleton=replace(spots.skeleton, joints=("LHand", "RHand")))
    with caplog.at_level(logging.WARNING, logger="posescope"):
        pose(model, folder, persons, batch_size=1, flip_test=flip_test)
    assert sum("flip_test mirrors" in record.getMessage() for record in caplog.records) == warnings


def test_persons_are_returned_in_order_for_every_batch_size(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    boxes = [(20.4, 14.5, 58.2, 50.0), (15.4, 10.5, 58.2, 50.0), (25.4, 20.5, 58.2, 50.0)]
    write_image("1.png", (90, 120), red=(40, 40), green=(50, 42))
    write_image("2.png", (90, 120), red=(41, 43), green=(52, 44))
    persons = [DetectedPerson(ImageInfo(f"{i}.png", i, (90, 120)), box) for i in (1, 2) for box in boxes]
    one_batch, small_batches = pose(spots, folder, persons), pose(spots, folder, persons, batch_size=2)
    assert [posed.person for posed in one_batch] == [posed.person for posed in small_batches] == persons
    expected = [[[40, 40], [50, 42]]] * 3 + [[[41, 43], [52, 44]]] * 3
    for found in (one_batch, small_batches):
        np.testing.assert_allclose([posed.joints for posed in found], expected, atol=1e-9)


def test_flip_test_averages_with_the_mirrored_image(spots: PoseModel, folder: ImageFolder, write_image: Any) -> None:
    write_image("1.png", (90, 120), red=(20, 60), green=(79, 10))
    info = ImageInfo("1.png", 1, (90, 120))
    (posed,) = pose(spots, folder, [DetectedPerson(info, (20.4, 14.5, 58.2, 50.0))], flip_test=True)
    # The flipped pass has the same positions under the other hand's name: each heatmap is the mean of red and green, with
    # two equal maxima of 0.5, of which the upper one is selected.
    np.testing.assert_allclose(posed.joints, [[79, 10], [79, 10]], atol=1e-9)
    np.testing.assert_allclose(posed.scores, [0.5, 0.5])


def test_no_persons_have_no_poses(spots: PoseModel, folder: ImageFolder) -> None:
    assert pose(spots, folder, []) == []


class CountingBackend(TorchBackend):
    """Torch backend that stores the number of crops of each forward pass."""

    def __init__(self, model: PoseModel) -> None:
        super().__init__(model)
        self.batches: list[int] = []

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        self.batches.append(len(crops))
        return super().run(crops, flip_test)


def entries(counts: Sequence[int], *, keep_pixels: bool = False, size: tuple[int, int] = (70, 90)) -> Iterator[ImagePersons]:
    """Yield images with the given numbers of persons; the red pixel of image i is at (i, i)."""
    for number, count in enumerate(counts):
        pixels = np.zeros((*size, 3), np.uint8)
        pixels[number, number] = (255, 255, 0)
        image = NamedImage(f"{number}.png", pixels, number)
        yield ImagePersons(image, [DetectedPerson(image.info, (-0.5, -0.5, 58.2, 50.0))] * count, keep_pixels)


def collect(engine: Predictor, counts: Sequence[int]) -> list[PosedImage]:
    return list(engine.predict_images(entries(counts)))


def test_ten_images_of_one_person_are_one_forward_pass(spots: PoseModel) -> None:
    backend = CountingBackend(spots)
    found = collect(Predictor(spots, backend, batch_size=64), [1] * 10)
    assert backend.batches == [10]
    assert [posed.poses.image.image_id for posed in found] == list(range(10))


@pytest.mark.parametrize(
    ("counts", "batches"),
    [
        ([1] * 9, [4, 4, 1]),
        ([3, 3, 3], [4, 4, 1]),
        ([9], [4, 4, 1]),
        ([0, 5, 0, 0, 2], [4, 3]),
        ([0] * 9, []),
        ([1, 0, 0, 0, 0, 0, 0, 1], [1, 1]),  # at most 4 images are pending
    ],
)
def test_batches_are_filled_across_images(counts: list[int], batches: list[int], spots: PoseModel) -> None:
    backend = CountingBackend(spots)
    found = collect(Predictor(spots, backend, batch_size=4), counts)
    assert backend.batches == batches
    assert [len(posed.poses) for posed in found] == counts
    whole = collect(Predictor(spots, TorchBackend(spots), batch_size=1), counts)
    for one, two in zip(found, whole, strict=True):
        np.testing.assert_allclose(one.poses.joints, two.poses.joints, atol=1e-4)


def test_predictions_have_crop_and_image_coordinates(spots: PoseModel) -> None:
    ((posed,),) = [one.poses.persons for one in collect(Predictor(spots, TorchBackend(spots)), [1])]
    # The crop box of 64 px with the centre (28.6, 24.5) starts at (-3, -7): image pixel (0, 0) is crop pixel (3, 7).
    np.testing.assert_array_equal(posed.crop_joints, [[3, 7], [3, 7]])
    np.testing.assert_allclose(posed.joints, [[0, 0], [0, 0]], atol=1e-9)
    assert posed.crop_joints.dtype == np.float32


def test_pixels_are_returned_only_if_requested(spots: PoseModel) -> None:
    engine = Predictor(spots, TorchBackend(spots), batch_size=4)
    assert [posed.image for posed in engine.predict_images(entries([1, 0, 2]))] == [None] * 3
    kept = list(engine.predict_images(entries([1, 0, 2], keep_pixels=True)))
    assert [posed.image.name for posed in kept if posed.image is not None] == ["0.png", "1.png", "2.png"]


def test_large_kept_images_end_a_batch_early(spots: PoseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "_MAX_KEPT_BYTES", 2 * 70 * 90 * 3)
    backend = CountingBackend(spots)
    list(Predictor(spots, backend, batch_size=64).predict_images(entries([1] * 5, keep_pixels=True)))
    assert backend.batches == [2, 2, 1]


def test_images_before_an_error_are_predicted_first(spots: PoseModel) -> None:
    def stream() -> Iterator[ImagePersons]:
        yield from entries([1, 1, 1])
        raise DataError("broken")

    found = Predictor(spots, TorchBackend(spots), batch_size=2).predict_images(stream())
    assert [next(found).poses.image.image_id for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError):
        next(found)


class Crops:
    """Five crops; the brightest pixel of crop i is at (i, 2 * i)."""

    def __len__(self) -> int:
        return 5

    def read_images(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        crops = np.zeros((len(rows), 64, 64, 3), np.uint8)
        crops[np.arange(len(rows)), 2 * rows, rows] = (255, 255, 0)
        return crops


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_crops_are_predicted_in_order(batch_size: int, spots: PoseModel) -> None:
    found = Predictor(spots, TorchBackend(spots), batch_size).predict_crops(Crops())
    expected = np.stack([np.arange(5), 2 * np.arange(5)], axis=-1)
    np.testing.assert_array_equal(found.joints, np.stack([expected, expected], axis=1))
    np.testing.assert_array_equal(found.scores, np.ones((5, 2)))
