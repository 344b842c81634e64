"""Tests of posescope.prediction.detectors.onnx_detector, with small networks of known outputs."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from pycocotools import mask
from pydantic import ValidationError
from tests.onnx_networks import save_constant_network, save_network

from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.data.images.decoding import read_image
from posescope.prediction.detectors.detector import Detections
from posescope.prediction.detectors.onnx_detector import OnnxDetector, OnnxDetectorOptions
from posescope.prediction.poses import DetectedPerson, ImageInfo

NO_DETECTIONS = Detections(Path("none"))
SIDE = 64  # grids of 64 + 16 + 4 cells
CELLS = 84
INPUT = (1, 3, SIDE, SIDE)
RED, BLUE = (255, 0, 0), (0, 0, 255)


def save_red_detector(path: Path) -> Path:
    """Save a network in YOLOX's format: the score of a cell of 16 px is its redness, its box the cell, the input B, G, R."""
    constants = {
        "red": np.array([-1, 0, 1], np.float32).reshape(1, 3, 1, 1) / 255,
        "fine": np.zeros((1, 64, 1), np.float32),
        "coarse": np.zeros((1, 4, 1), np.float32),
        "channels": np.array([1], np.int64),
        "column": np.array([1, 16, 1], np.int64),
        "positions": np.tile(np.array([0.5, 0.5, 0, 0], np.float32), (1, CELLS, 1)),
        "class_score": np.ones((1, CELLS, 1), np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["images", "red"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "channels"], ["redness"]),
        helper.make_node("Relu", ["redness"], ["only_red"]),
        helper.make_node("AveragePool", ["only_red"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["pooled", "column"], ["cells"]),
        helper.make_node("Concat", ["fine", "cells", "coarse"], ["objectness"], axis=1),
        helper.make_node("Concat", ["positions", "objectness", "class_score"], ["output"], axis=2),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, CELLS, 6))]
    return save_network(path, nodes, outputs, INPUT, TensorProto.FLOAT, constants)


def image_of(size: tuple[int, int], *rectangles: tuple[tuple[int, int, int], int, int, int, int]) -> NDArray[np.uint8]:
    """Return a black image with rectangles (colour, x, y, width, height)."""
    image = np.zeros((*size, 3), np.uint8)
    for colour, x, y, width, height in rectangles:
        image[y : y + height, x : x + width] = colour
    return image


def find(path: Path, image: NDArray[np.uint8], **options: Any) -> list[DetectedPerson]:
    detector = build("detectors", ComponentSpec(name="onnx", options={"path": str(path), **options}))
    assert isinstance(detector, OnnxDetector)
    found: list[DetectedPerson] = detector(image, info_of(image), NO_DETECTIONS)
    return found


def info_of(image: NDArray[np.uint8]) -> ImageInfo:
    return ImageInfo("a.png", 0, (image.shape[0], image.shape[1]))


def test_red_square_is_found_at_its_position(tmp_path: Path) -> None:
    """96 x 128 px are resized to 48 x 64, so that the square of 32 px is the cell in the second column and row."""
    image = image_of((96, 128), (RED, 32, 32, 32, 32))
    (person,) = find(save_red_detector(tmp_path / "red.onnx"), image)
    assert person.image == info_of(image)
    np.testing.assert_allclose(person.box, (31.5, 31.5, 32.0, 32.0))
    assert person.score == pytest.approx(1.0)


def test_two_persons_of_an_image_are_found(tmp_path: Path) -> None:
    """256 x 128 px are resized by 1/4. The second square fills half of its cell, so that its score is 0.5."""
    image = image_of((256, 128), (RED, 64, 192, 64, 32), (RED, 0, 64, 64, 64))
    best, second = find(save_red_detector(tmp_path / "red.onnx"), image)
    np.testing.assert_allclose(best.box, (-0.5, 63.5, 64.0, 64.0))
    np.testing.assert_allclose(second.box, (63.5, 191.5, 64.0, 64.0))
    assert (best.score, second.score) == (pytest.approx(1.0), pytest.approx(0.5, abs=0.01))


@pytest.mark.parametrize("image", [image_of((96, 128)), image_of((96, 128), (BLUE, 32, 32, 32, 32)), image_of((1, 1))])
def test_image_without_persons_has_no_boxes(image: NDArray[np.uint8], tmp_path: Path) -> None:
    """The padding is grey, and the channel order is B, G, R, so that blue is not found."""
    assert find(save_red_detector(tmp_path / "red.onnx"), image) == []


def test_channel_order_is_configurable(tmp_path: Path) -> None:
    image = image_of((64, 64), (BLUE, 16, 16, 16, 16))
    path = save_red_detector(tmp_path / "red.onnx")
    assert find(path, image, min_score=0.003, pixels="rgb_1", output="yolox")[0].box == (15.5, 15.5, 16.0, 16.0)


def decoded_boxes(*rows: Sequence[float]) -> NDArray[np.float32]:
    """Return rows of decoded boxes: centre x, y, w, h, objectness, two classes."""
    return np.array(rows, np.float32).reshape(1, -1, 7)


def test_boxes_are_mapped_to_image_px(tmp_path: Path) -> None:
    """128 x 256 px are resized by 1/4. The boxes: two overlapping, one partly outside, one of another class, one outside."""
    path = save_constant_network(
        tmp_path / "fixed.onnx",
        decoded_boxes(
            (20, 10, 8, 12, 1.0, 0.8, 0.0),
            (21, 10, 8, 12, 1.0, 0.9, 0.0),
            (60, 30, 16, 8, 0.5, 1.0, 0.0),
            (40, 20, 8, 8, 1.0, 0.1, 0.9),
            (20, 50, 8, 8, 1.0, 0.7, 0.0),
        ),
    )
    persons = find(path, image_of((128, 256)), output="yolox_decoded")
    np.testing.assert_allclose([person.box for person in persons], [(67.5, 15.5, 32, 48), (207.5, 103.5, 48, 24)])
    np.testing.assert_allclose([person.score for person in persons], [0.9, 0.5], rtol=1e-6)
    assert len(find(path, image_of((128, 256)), output="yolox_decoded", max_overlap=0.9)) == 3
    assert [person.score for person in find(path, image_of((128, 256)), output="yolox_decoded", person_class=1)] == [
        pytest.approx(0.9)
    ]


def test_small_persons_and_those_beyond_the_number_are_ignored(tmp_path: Path) -> None:
    """128 px are resized by 1/2, so that the boxes are 16 x 24, 40 x 8 and 12 x 12 px."""
    path = save_constant_network(
        tmp_path / "fixed.onnx",
        decoded_boxes((20, 10, 8, 12, 1, 0.5, 0), (30, 50, 20, 4, 1, 0.9, 0), (50, 30, 6, 6, 1, 0.7, 0)),
    )
    image = image_of((128, 128))

    def scores(**options: Any) -> list[float]:
        return [round(person.score, 3) for person in find(path, image, output="yolox_decoded", **options)]

    assert scores() == [0.9, 0.7, 0.5]
    assert scores(min_side_px=20) == [0.9, 0.5]
    assert scores(min_side_px=24.5) == [0.9]
    assert scores(max_persons=2) == [0.9, 0.7]
    assert scores(max_persons=2, min_side_px=20) == [0.9, 0.5]


def test_yolov8_input_is_padded_on_both_sides(tmp_path: Path) -> None:
    """128 x 256 px are resized to 32 x 64, with 16 px of padding above."""
    table = np.zeros((1, 5, CELLS), np.float32)
    table[0, :, 7] = [20, 26, 8, 12, 0.9]
    (person,) = find(save_constant_network(tmp_path / "v8.onnx", table), image_of((128, 256)), output="yolov8")
    np.testing.assert_allclose(person.box, (63.5, 15.5, 32, 48))


def test_torchvision_networks_accept_images_of_any_size(tmp_path: Path) -> None:
    boxes = np.array([[10, 20, 30, 50], [11, 20, 31, 50], [0, 0, 5, 5]], np.float32)
    path = save_constant_network(
        tmp_path / "tv.onnx", boxes, np.array([1, 1, 3]), np.array([0.9, 0.8, 0.9], np.float32), shape=(3, "height", "width")
    )
    persons = find(path, image_of((60, 80)), output="boxes_scores_labels", person_class=1)
    np.testing.assert_allclose([person.box for person in persons], [(9.5, 19.5, 20, 30), (10.5, 19.5, 20, 30)])


def test_half_precision_network(tmp_path: Path) -> None:
    path = save_constant_network(
        tmp_path / "half.onnx", decoded_boxes((20, 10, 8, 12, 1.0, 0.75, 0.0)).astype(np.float16), kind=TensorProto.FLOAT16
    )
    (person,) = find(path, image_of((64, 64)), output="yolox_decoded")
    assert (person.box, person.score) == ((15.5, 3.5, 8.0, 12.0), 0.75)


def test_mean_of_imagenet_is_subtracted(tmp_path: Path) -> None:
    """The network returns 0.1 of its first pixel as the score, which is (1 - 0.485) / 0.229 for white."""
    nodes = [
        helper.make_node("Slice", ["images", "low", "high"], ["pixel"]),
        helper.make_node("Mul", ["pixel", "tenth"], ["score"]),
        helper.make_node("Reshape", ["score", "shape"], ["column"]),
        helper.make_node("Concat", ["box", "column"], ["output"], axis=2),
    ]
    constants = {
        "low": np.zeros(4, np.int64),
        "high": np.ones(4, np.int64),
        "tenth": np.float32([0.1]),
        "shape": np.array([1, 1, 1], np.int64),
        "box": np.array([[[20, 10, 8, 12, 1.0]]], np.float32),
    }
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 1, 6))]
    path = save_network(tmp_path / "m.onnx", nodes, outputs, INPUT, TensorProto.FLOAT, constants)
    white = np.full((64, 64, 3), 255, np.uint8)
    (person,) = find(path, white, output="yolox_decoded", pixels="rgb_imagenet", min_score=0)
    assert person.score == pytest.approx(0.1 * (1 - 0.485) / 0.229, abs=1e-5)
    (person,) = find(path, white, output="yolox_decoded", pixels="rgb_1", min_score=0)
    assert person.score == pytest.approx(0.1)


def test_network_is_loaded_once(tmp_path: Path) -> None:
    path = save_red_detector(tmp_path / "red.onnx")
    detector = OnnxDetector(OnnxDetectorOptions(path=path))
    image = image_of((64, 64), (RED, 16, 16, 16, 16))
    first = detector(image, info_of(image), NO_DETECTIONS)
    path.unlink()
    assert detector(image, info_of(image), NO_DETECTIONS) == first != []


def test_variable_input_size_must_be_given(tmp_path: Path) -> None:
    path = save_constant_network(tmp_path / "open.onnx", decoded_boxes((20, 10, 8, 12, 1.0, 0.8, 0.0)), shape=("n", 3, "h", "w"))
    with pytest.raises(OptionsError, match="input_size"):
        find(path, image_of((128, 128)), output="yolox_decoded")
    (person,) = find(path, image_of((128, 128)), output="yolox_decoded", input_size=[64, 64])
    np.testing.assert_allclose(person.box, (31.5, 7.5, 16, 24))


def test_input_size_of_another_network_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="input_size"):
        find(save_red_detector(tmp_path / "red.onnx"), image_of((9, 9)), input_size=[32, 64])


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (2, 3, 64, 64), (1, 64, 64, 3), (3, 64), (1, 1, 3, 64, 64)])
def test_network_with_another_input_is_an_error(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = save_constant_network(tmp_path / "other.onnx", decoded_boxes(), shape=shape)
    with pytest.raises(DataError, match="input"):
        find(path, image_of((9, 9)))


def test_network_with_integer_input_is_an_error(tmp_path: Path) -> None:
    path = save_constant_network(tmp_path / "bytes.onnx", decoded_boxes(), kind=TensorProto.UINT8)
    with pytest.raises(DataError, match=r"float32 or float16; found images: tensor\(uint8\)"):
        find(path, image_of((9, 9)))


def test_output_in_another_format_is_an_error(tmp_path: Path) -> None:
    path = save_constant_network(tmp_path / "classes.onnx", np.zeros((1, 1000), np.float32))
    with pytest.raises(DataError, match="yolox"):
        find(path, image_of((9, 9)))


@pytest.mark.parametrize("content", [None, b"", b"no network"])
def test_file_that_is_no_network_is_an_error(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.onnx"):
        find(tmp_path / "a.onnx", image_of((9, 9)))


def test_network_that_fails_is_an_error(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["images", "shape"], ["output"])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 7, 11))]
    constants = {"shape": np.array([1, 7, 11], np.int64)}
    path = save_network(tmp_path / "fails.onnx", nodes, outputs, (1, 3, "h", "w"), TensorProto.FLOAT, constants)
    with pytest.raises(DataError, match="fails"):
        find(path, image_of((9, 9)), input_size=[64, 64])


def test_boxes_with_invalid_values_are_ignored(tmp_path: Path) -> None:
    path = save_constant_network(
        tmp_path / "nan.onnx", decoded_boxes((np.nan, 10, 8, 12, 1, 1, 0), (20, 10, -8, 12, 1, 1, 0), (20, 10, 8, 12, 1, 1, 0))
    )
    assert len(find(path, image_of((64, 64)), output="yolox_decoded")) == 1


def test_missing_onnx_runtime_is_reported_with_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OptionsError, match="pip install posescope"):
        find(save_red_detector(tmp_path / "red.onnx"), image_of((9, 9)))


@pytest.mark.parametrize(
    "options",
    [{"path": None}, {"output": "ssd"}, {"min_score": 2}, {"input_size": [64]}, {"max_persons": 0}, {"min_side_px": -1}],
)
def test_invalid_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OnnxDetectorOptions(**options)


def _count_nanodet(real_data: Path, image_count: int, min_score: float = 0.3) -> tuple[int, int, int]:
    """Return the numbers of found persons, false boxes and all annotated persons of the first validation images."""
    path = real_data / "peers" / "nanodet.onnx"
    if not path.is_file():
        pytest.skip(f"no network of others: {path} does not exist")
    content = json.loads((real_data / "coco_subset" / "annotations" / "person_keypoints_val2017.json").read_text())
    detector = OnnxDetector(OnnxDetectorOptions(path=path, output="yolox_decoded", min_score=min_score))
    images = sorted(content["images"], key=lambda image: image["id"])[:image_count]
    found = false = persons = 0
    for image in images:
        pixels = read_image(real_data / "coco_subset" / "val2017" / image["file_name"])
        boxes = [(x + 0.5, y + 0.5, w, h) for x, y, w, h in (one.box for one in detector(pixels, info_of(pixels), NO_DETECTIONS))]
        own = [one for one in content["annotations"] if one["image_id"] == image["id"]]
        truth, is_crowd = [one["bbox"] for one in own], np.array([bool(one["iscrowd"]) for one in own], dtype=bool)
        if not boxes or not truth:
            false, persons = false + len(boxes), persons + len(truth)
            continue
        overlaps = np.asarray(mask.iou(np.array(boxes), np.array(truth, np.float64), is_crowd.astype(np.uint8).tolist()))
        taken = {int(row.argmax()) for row in overlaps[:, ~is_crowd] if len(row) and row.max() >= 0.5}
        in_crowd = sum(bool(len(row) and row.max() >= 0.5) for row in overlaps[:, is_crowd])
        found, persons = found + len(taken), persons + int((~is_crowd).sum())
        false += max(len(boxes) - len(taken) - in_crowd, 0)
    return found, false, persons


@pytest.mark.real_data
def test_nanodet_finds_most_persons_on_photographs(real_data: Path) -> None:
    """With the default thresholds NanoDet has a recall of 0.75 and a precision of 0.68 on all 121 photographs."""
    found, false, persons = _count_nanodet(real_data, 24)
    assert persons > 50
    assert found / persons > 0.65
    assert found / (found + false) > 0.55
