"""Tests of posescope.prediction.estimator: inputs, coordinates, batches, backends and refused boxes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import fsspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posescope.artifacts.description import ModelFolderError, read_description
from posescope.core.errors import DataError
from posescope.core.records import CropJoints
from posescope.core.skeleton import Skeleton
from posescope.data.images.limits import MissingImageError
from posescope.prediction.detectors.boxes_file import BoxesFile, BoxesFileOptions
from posescope.prediction.detectors.detector import Detections
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.image_io.image_inputs import ImageInputError
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.image_io.video import open_video_writer
from posescope.prediction.options import PredictionOptions
from posescope.prediction.overlays import OverlayFolder
from posescope.prediction.prediction_run import predict_folder
from posescope.prediction.video.frame_follower import VideoOptions

RED, GREEN = (255, 0, 0), (0, 255, 0)


class Spots:
    """Backend that finds the reddest and the greenest px of crops and stores its batch sizes."""

    name = "spots"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        self.batches.append(len(crops))
        flat = crops[..., :2].astype(np.float32).reshape(len(crops), -1, 2)
        y, x = np.divmod(flat.argmax(axis=1), crops.shape[2])
        return CropJoints(np.stack([x, y], axis=-1).astype(np.float32), flat.max(axis=1) / 255)


@pytest.fixture
def estimator(model_folders: Any) -> PoseEstimator:
    skeleton = Skeleton(("red", "green"), ((0, 1),), (0.1, 0.1))
    description = read_description(model_folders.torch).model_copy(update={"crop_size": (64, 64), "skeleton": skeleton})
    return PoseEstimator(description, Spots())


def make_image(red: tuple[int, int], green: tuple[int, int], size: tuple[int, int] = (90, 120)) -> NDArray[np.uint8]:
    image = np.zeros((*size, 3), dtype=np.uint8)
    image[red[1], red[0]], image[green[1], green[0]] = RED, GREEN
    return image


# The crop box has 1.1 * 58.2 = 64 px from (18, 8), so that a crop px is an image px. COCO's edges are shifted by 0.5 px.
BOX = [20.9, 15.0, 58.2, 50.0]


def test_joints_are_returned_in_image_px(estimator: PoseEstimator) -> None:
    poses = estimator.predict_one(make_image((20, 60), (79, 10)), [[*BOX, 0.5]])
    np.testing.assert_allclose(poses.joints, [[[20, 60], [79, 10]]], atol=1e-9)
    np.testing.assert_allclose(poses.boxes, [BOX])
    assert poses.persons[0].score == pytest.approx(0.5)
    assert (poses.image.name, poses.image.size) == ("0", (90, 120))


def test_without_boxes_the_image_is_one_person(estimator: PoseEstimator) -> None:
    # A crop box of 1.1 * 50 = 55 px is resized to 64, so that the brightest crop px is within one crop px of the mark.
    (poses,) = estimator.predict(make_image((20, 30), (40, 5), size=(40, 50)))
    np.testing.assert_allclose(poses.boxes, [[0, 0, 50, 40]])
    assert np.abs(poses.joints[0] - [[20, 30], [40, 5]]).max() <= 55 / 64


def test_persons_of_several_images_share_a_forward_pass(estimator: PoseEstimator) -> None:
    images = [make_image((20 + i, 60), (79, 10 + i)) for i in range(5)]
    boxes = [[BOX], [], [BOX, BOX], None, np.array([BOX])]
    found = list(estimator.predict(images, boxes, batch_size=2))
    assert [len(poses) for poses in found] == [1, 0, 2, 1, 1]
    assert [poses.image.image_id for poses in found] == [0, 1, 2, 3, 4]
    assert sum(estimator.backend.batches) == 5  # type: ignore[attr-defined]
    assert max(estimator.backend.batches) <= 2  # type: ignore[attr-defined]
    for i, row in ((0, 0), (2, 1), (4, 0)):
        np.testing.assert_allclose(found[i].joints[row], [[20 + i, 60], [79, 10 + i]], atol=1e-9)
    assert found[1].joints.shape == (0, 2, 2)
    assert found[1].scores.shape == (0, 2)
    assert found[1].boxes.shape == (0, 4)


def test_infinite_stream_is_read_lazily(estimator: PoseEstimator) -> None:
    read = []

    def read_camera() -> Iterator[NDArray[np.uint8]]:
        for number in range(1_000_000):
            read.append(number)
            yield make_image((20, 60), (79, 10))

    stream = estimator.predict(read_camera(), batch_size=4)
    assert [next(stream).image.image_id for _ in range(9)] == list(range(9))
    assert len(read) <= 12


def test_paths_and_named_images_keep_their_names(estimator: PoseEstimator, tmp_path: Path) -> None:
    image = make_image((20, 60), (79, 10))
    assert cv2.imwrite(str(tmp_path / "000139.png"), image[..., ::-1])
    by_path, by_name = estimator.predict([tmp_path / "000139.png", NamedImage("b.jpg", image, 7)], [[BOX], [BOX]])
    assert (by_path.image.name, by_path.image.image_id) == ("000139.png", 139)
    assert (by_name.image.name, by_name.image.image_id) == ("b.jpg", 7)
    np.testing.assert_array_equal(by_path.joints, by_name.joints)


def test_image_ids_are_unique(estimator: PoseEstimator, tmp_path: Path) -> None:
    image = make_image((20, 60), (79, 10))
    for name in ("2.png", "plain.png", "0.png"):
        assert cv2.imwrite(str(tmp_path / name), image[..., ::-1])

    def predicted_ids(*names: str) -> list[int]:
        return [poses.image.image_id for poses in estimator.predict([tmp_path / name for name in names])]

    assert predicted_ids("2.png", "plain.png", "plain.png", "plain.png") == [2, 0, 1, 3]
    assert predicted_ids("plain.png", "0.png") == [1, 0]
    stream = iter([image, tmp_path / "0.png", NamedImage("b.jpg", image, 7), image])
    assert [poses.image.image_id for poses in estimator.predict(stream)] == [0, 1, 7, 2]


@pytest.mark.parametrize(
    "boxes",
    [
        *([[1, 2, 3]], [1, 2, 3, 4], [[1, 2, 0, 4]], [[1, 2, -3, 4]], [[1, 2, float("nan"), 4]], [[1, 2, 3, 4, 5, 6]]),
        *([["1", "2", "3", "4"]], [[1, 2, 3], [1, 2, 3, 4]], "text", [[None] * 4], [[True] * 4], [[10**400, 1, 1, 1]], 5),
    ],
    ids=repr,
)
def test_malformed_boxes_are_an_error(estimator: PoseEstimator, boxes: Any) -> None:
    with pytest.raises(DataError, match=r"^0: expected boxes \(n, 4\) or \(n, 5\), finite numbers with w and h above 0"):
        estimator.predict_one(make_image((1, 1), (2, 2)), boxes)


def test_box_outside_its_image_is_an_error(estimator: PoseEstimator) -> None:
    assert len(estimator.predict_one(make_image((1, 1), (2, 2)), [[119.5, 0, 5, 5]])) == 1
    with pytest.raises(DataError, match=r"^0: a box is outside the image of \(90, 120\) px .*: \[120\.0, 0\.0, 5\.0, 5\.0\]"):
        estimator.predict_one(make_image((1, 1), (2, 2)), [[120, 0, 5, 5]])
    for side in (10_001, 9e8, 1e300):  # the crop of a box of 9e8 px would exceed the memory
        with pytest.raises(DataError, match="or is far larger"):
            estimator.predict_one(make_image((1, 1), (2, 2)), [[0, 0, side, side]])
    assert len(estimator.predict_one(make_image((1, 1), (2, 2)), [[-5000, -5000, 10_000, 10_000]])) == 1


def test_images_before_a_missing_one_are_predicted(estimator: PoseEstimator, tmp_path: Path) -> None:
    image = make_image((20, 60), (79, 10))
    stream = estimator.predict([image, image, image, tmp_path / "missing.jpg", image], batch_size=2)
    assert [next(stream).image.name for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(DataError, match=r"missing\.jpg"):
        next(stream)


def test_failed_batch_is_not_run_again(estimator: PoseEstimator, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def run(crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        calls.append(len(crops))
        raise DataError("failed")

    monkeypatch.setattr(estimator.backend, "run", run)
    with pytest.raises(DataError, match="failed"):
        list(estimator.predict([make_image((1, 1), (2, 2))] * 3, batch_size=2))
    assert calls == [2]


def test_batch_size_below_1_is_an_error(estimator: PoseEstimator) -> None:
    with pytest.raises(DataError, match="batch_size: expected at least 1, found 0"):
        list(estimator.predict(make_image((1, 1), (2, 2)), batch_size=0))


def test_missing_boxes_and_images_are_an_error(estimator: PoseEstimator, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found boxes for 1 images"):
        list(estimator.predict([make_image((1, 1), (2, 2))] * 2, [None]))
    with pytest.raises(DataError, match=r"missing\.jpg"):
        list(estimator.predict(tmp_path / "missing.jpg"))
    with pytest.raises(Exception, match="image 0"):
        list(estimator.predict(np.zeros((4, 4), np.uint8)))


def test_onnx_is_preferred_and_agrees_with_torch(model_folders: Any) -> None:
    image = np.random.default_rng(1).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    onnx, torch = PoseEstimator.load(model_folders.onnx), PoseEstimator.load(str(model_folders.torch), device="cpu")
    assert (onnx.backend.name, torch.backend.name) == ("onnx", "torch")
    for flip_test in (False, True):
        one, two = (estimator.predict_one(image, [[5, 5, 30, 40]], flip_test=flip_test) for estimator in (onnx, torch))
        np.testing.assert_allclose(one.joints, two.joints, atol=1e-2)
        np.testing.assert_allclose(one.scores, two.scores, atol=1e-5)
    with pytest.raises(ModelFolderError, match="this model is not exported; posescope export --model"):
        PoseEstimator.load(model_folders.torch, backend="onnx")


def test_a_model_in_an_object_store_is_loaded_by_its_url(
    model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path))
    files = fsspec.filesystem("memory")
    files.put(str(model_folders.torch), "/bucket/model", recursive=True)
    try:
        loaded = PoseEstimator.load("memory://bucket/model", device="cpu")
    finally:
        files.store.clear()
    assert loaded.description.weights_sha256 == read_description(model_folders.torch).weights_sha256


@pytest.mark.parametrize("flip_test", [False, True])
def test_batch_size_does_not_change_predictions_of_onnx_and_torch(model_folders: Any, flip_test: bool) -> None:
    """Images with 1, 0, 3, 5 and 23 persons are predicted in batches of different sizes."""
    rng = np.random.default_rng(2)
    counts = (1, 0, 3, 5, 23)
    images = [rng.integers(0, 256, (50, 70, 3)).astype(np.uint8) for _ in counts]
    boxes = [np.array([[2 + k, 1, 20 + k, 30] for k in range(count)]).reshape(-1, 4) for count in counts]
    onnx, torch = PoseEstimator.load(model_folders.onnx), PoseEstimator.load(model_folders.torch, device="cpu")
    expected = list(torch.predict(images, boxes, batch_size=32, flip_test=flip_test))
    for size in (1, 2, 3, 5, 7, 32):
        found = list(onnx.predict(images, boxes, batch_size=size, flip_test=flip_test))
        assert [len(poses) for poses in found] == list(counts)
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.joints, two.joints, atol=1e-2)
            np.testing.assert_allclose(one.scores, two.scores, atol=1e-5)


def test_all_image_types_give_the_same_predictions(estimator: PoseEstimator, tmp_path: Path) -> None:
    image = make_image((20, 60), (79, 10))
    assert cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    raw = (tmp_path / "a.png").read_bytes()
    for image_input in (raw, Image.fromarray(image), str(tmp_path / "a.png")):
        (poses,) = estimator.predict(image_input, [[BOX]])
        np.testing.assert_allclose(poses.joints, [[[20, 60], [79, 10]]], atol=1e-9)
    assert len(list(estimator.predict([raw, Image.fromarray(image)], [[BOX], None]))) == 2
    with pytest.raises(MissingImageError):
        estimator.predict_one(tmp_path / "absent.png")
    with pytest.raises(ImageInputError, match="Multiply it by 255"):
        estimator.predict_one(image / 255)


def test_pipeline_and_estimator_have_equal_predictions(model_folders: Any, tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    (tmp_path / "images").mkdir()
    assert cv2.imwrite(str(tmp_path / "images" / "1.png"), image[..., ::-1])
    detections = Detections(tmp_path / "boxes.json")
    detections.root.write_text(json.dumps([{"file_name": "1.png", "bbox": [5, 5, 30, 40], "score": 0.5}]))
    for folder in (model_folders.torch, model_folders.onnx):
        model, overlays = PoseEstimator.load(folder, device="cpu"), OverlayFolder(tmp_path / "overlays")
        images, detector = ImageFolder(tmp_path / "images"), BoxesFile(BoxesFileOptions())
        results, _ = predict_folder(model, images, detector, detections, overlays, PredictionOptions(device="cpu"))
        expected = model.predict_one(tmp_path / "images" / "1.png", [[5, 5, 30, 40, 0.5]])
        assert results == expected.to_coco()


def test_frames_of_a_video_have_times_and_track_ids(model_folders: Any, tmp_path: Path) -> None:
    with open_video_writer(tmp_path / "clip.avi", 10, (48, 64)) as append:
        for grey in range(4):
            append(np.full((48, 64, 3), 60 * grey, np.uint8))
    calls: list[float] = []

    def find_boxes(image: NDArray[np.uint8]) -> list[list[float]]:
        calls.append(float(image.mean()))
        return [[2, 3, 30, 40, 0.9], [30, 3, 30, 40, 0.8]]

    options = VideoOptions(detect_every=3)
    estimator = PoseEstimator.load(model_folders.onnx)
    found = list(estimator.predict_video(tmp_path / "clip.avi", find_boxes, options))
    assert len(calls) == 2
    assert [(one.poses.image.name, one.poses.image.time_s) for one in found[:2]] == [("clip.avi#0", 0), ("clip.avi#1", 0.1)]
    assert [person.track_id for person in found[0].poses.persons] == [1, 2]
    assert found[3].image is not None
    assert found[3].image.pixels.shape == (48, 64, 3)
    np.testing.assert_allclose(found[0].poses.boxes, [[2, 3, 30, 40], [30, 3, 30, 40]])
    (whole, *_) = estimator.predict_video(tmp_path / "clip.avi")
    np.testing.assert_allclose(whole.poses.boxes, [[0, 0, 64, 48]])
    with pytest.raises(DataError, match=r"none\.mp4"):
        next(estimator.predict_video(tmp_path / "none.mp4"))
