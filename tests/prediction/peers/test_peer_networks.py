"""Tests of posescope.prediction.peers.peer_networks, with small networks of known outputs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from tests.onnx_networks import save_channel_means, save_constant_network

from posescope.core.errors import DataError, OptionsError
from posescope.core.skeleton import COCO_PERSON
from posescope.prediction.peers.peer_networks import open_peer

JOINTS = ["red", "green", "blue"]
WHOLE = np.array([[-0.5, -0.5, 64.0, 64.0]])
CENTRED = {"joints": JOINTS, "mean": [0, 0, 0], "std": [1, 1, 1], "first_cell_px": 1.5}


def save_movenet(path: Path, output: NDArray[np.float32], shape: tuple[Any, ...] = (1, 32, 32, 3)) -> Path:
    return save_constant_network(path, output, shape=shape, kind=TensorProto.INT32)


def dots(*places: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> NDArray[np.uint8]:
    """Return a black image with cells of 4 x 4 px (channel, column, row)."""
    image = np.zeros((*size, 3), np.uint8)
    for channel, column, row in places:
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4, channel] = 255
    return image


def test_movenet_fractions_become_image_px(tmp_path: Path) -> None:
    """The box of 40 x 80 px has the middle (29.5, 49.5); x 1.25 it spans -20.5..79.5 and -0.5..99.5."""
    output = np.zeros((1, 1, 17, 3), np.float32)
    output[0, 0, 0], output[0, 0, 1] = (0.0, 0.0, 0.9), (0.25, 1.0, 0.5)
    network = open_peer(save_movenet(tmp_path / "m.onnx", output), "movenet")
    found = network.predict(np.zeros((200, 200, 3), np.uint8), np.array([[9.5, 9.5, 40.0, 80.0]]), network.box_scale)
    assert (network.joints, network.box_scale) == (COCO_PERSON.joints, 1.25)
    np.testing.assert_allclose(found.joints[0, :2], [[-20.5, -0.5], [79.5, 24.5]], atol=1e-6)
    np.testing.assert_allclose(found.scores[0, :3], [0.9, 0.5, 0.0], rtol=1e-6)


def test_peaks_of_heatmaps_become_image_px(tmp_path: Path) -> None:
    network = open_peer(save_channel_means(tmp_path / "h.onnx"), "heatmaps", CENTRED)
    found = network.predict(dots((0, 3, 5), (1, 0, 0), (2, 15, 9)), WHOLE, 1.0)
    np.testing.assert_allclose(found.joints[0], [[13.5, 21.5], [1.5, 1.5], [61.5, 37.5]], atol=1e-6)
    np.testing.assert_allclose(found.scores[0], 1.0)


def test_cells_start_at_the_edge_by_default(tmp_path: Path) -> None:
    options = CENTRED | {"first_cell_px": 0.0}
    network = open_peer(save_channel_means(tmp_path / "h.onnx"), "heatmaps", options)
    np.testing.assert_allclose(network.predict(dots((0, 3, 5)), WHOLE, 1.0).joints[0, 0], [12.0, 20.0], atol=1e-6)


def test_outermost_cells_are_the_outermost_px_with_udp(tmp_path: Path) -> None:
    options = CENTRED | {"first_cell_px": 0.0, "udp": True}
    found = open_peer(save_channel_means(tmp_path / "h.onnx"), "heatmaps", options).predict(
        dots((0, 15, 0), (1, 5, 10)), WHOLE, 1.0
    )
    np.testing.assert_allclose(found.joints[0, :2], [[63.0, 0.0], [21.0, 42.0]], atol=1e-6)


def test_peak_is_moved_by_a_quarter_cell_towards_the_larger_neighbour(tmp_path: Path) -> None:
    image = dots((0, 3, 5))
    image[20:24, 16:20, 0] = 100  # on the right
    image[16:20, 12:16, 0] = 50  # above
    network = open_peer(save_channel_means(tmp_path / "h.onnx"), "heatmaps", CENTRED)
    np.testing.assert_allclose(network.predict(image, WHOLE, 1.0).joints[0, 0], [13.5 + 1, 21.5 - 1], atol=1e-6)


def test_network_that_is_not_square(tmp_path: Path) -> None:
    """The box has the aspect of the input, 64 x 48, so that the crop is the box."""
    image = np.zeros((100, 100, 3), np.uint8)
    image[10:74, 20:68] = dots((0, 3, 5), (1, 11, 15), size=(64, 48))
    path = save_channel_means(tmp_path / "h.onnx", shape=(1, 3, 64, 48))
    found = open_peer(path, "heatmaps", CENTRED).predict(image, np.array([[19.5, 9.5, 48.0, 64.0]]), 1.0)
    np.testing.assert_allclose(found.joints[0, :2], [[33.5, 31.5], [65.5, 71.5]], atol=1e-6)


def test_colours_are_normalised_and_swapped(tmp_path: Path) -> None:
    path = save_channel_means(tmp_path / "h.onnx")
    options = CENTRED | {"channels": "bgr", "mean": [0.2, 0, 0], "std": [0.5, 1, 1]}
    found = open_peer(path, "heatmaps", options).predict(dots((2, 3, 5)), WHOLE, 1.0)
    assert found.scores[0, 0] == pytest.approx((1 - 0.2) / 0.5)
    np.testing.assert_allclose(found.joints[0, 0], [13.5, 21.5], atol=1e-6)


def test_open_input_size_must_be_given(tmp_path: Path) -> None:
    path = save_channel_means(tmp_path / "h.onnx", shape=(1, 3, "height", "width"))
    with pytest.raises(OptionsError, match="input_size"):
        open_peer(path, "heatmaps", CENTRED)
    network = open_peer(path, "heatmaps", CENTRED | {"input_size": [64, 64]})
    np.testing.assert_allclose(network.predict(dots((0, 3, 5)), WHOLE, 1.0).joints[0, 0], [13.5, 21.5], atol=1e-6)


def test_no_person(tmp_path: Path) -> None:
    for path, name, options in (
        (save_movenet(tmp_path / "m.onnx", np.zeros((1, 1, 17, 3), np.float32)), "movenet", {}),
        (save_channel_means(tmp_path / "h.onnx"), "heatmaps", CENTRED),
    ):
        found = open_peer(path, name, options).predict(dots(), np.empty((0, 4)), 1.25)
        assert found.joints.shape[::2] == (0, 2)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (1, 32, 32), (1, "h", "w", 3)])
def test_movenet_with_another_input_is_an_error(shape: tuple[Any, ...], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="int32"):
        open_peer(save_movenet(tmp_path / "m.onnx", np.zeros((1, 1, 17, 3), np.float32), shape), "movenet")


def test_heatmap_network_with_another_input_is_an_error(tmp_path: Path) -> None:
    path = save_constant_network(tmp_path / "a.onnx", np.zeros((1, 17, 8, 8), np.float32), shape=(1, 64, 64, 3))
    with pytest.raises(DataError, match="float32"):
        open_peer(path, "heatmaps")
    with pytest.raises(DataError, match="int32"):
        open_peer(path, "movenet")


@pytest.mark.parametrize(
    "output", [np.zeros((1, 6, 56), np.float32), np.full((1, 1, 17, 3), np.nan, np.float32)], ids=["several persons", "NaN"]
)
def test_movenet_with_another_output_is_an_error(output: NDArray[np.float32], tmp_path: Path) -> None:
    network = open_peer(save_movenet(tmp_path / "m.onnx", output), "movenet")
    with pytest.raises(DataError):
        network.predict(dots(), WHOLE, 1.0)


def test_other_number_of_heatmaps_is_an_error(tmp_path: Path) -> None:
    network = open_peer(save_channel_means(tmp_path / "h.onnx"), "heatmaps")
    with pytest.raises(DataError, match="joints"):
        network.predict(dots(), WHOLE, 1.0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("posenet", {}),
        ("movenet", {"joints": ["a"]}),
        ("movenet", {"box_scale": 0.5}),
        ("heatmaps", {"std": [0, 1, 1]}),
        ("heatmaps", {"joints": ["a", "a"]}),
        ("heatmaps", {"input_size": [0, 64]}),
        ("heatmaps", CENTRED | {"input_size": [32, 32]}),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionsError):
        open_peer(save_channel_means(tmp_path / "h.onnx"), name, options)


@pytest.mark.parametrize("content", [None, b"no network"])
def test_file_that_is_no_network_is_an_error(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.onnx"):
        open_peer(tmp_path / "a.onnx", "movenet")
