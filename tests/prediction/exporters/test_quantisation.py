"""Tests of posescope.prediction.exporters.quantisation: replaced nodes, the INT8 network, and the crops that calibrate it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from posescope.artifacts.exported_model import NETWORK
from posescope.prediction.exporters.exporter import ExportData
from posescope.prediction.exporters.quantisation import (
    pick_calibration_crops,
    quantise_network,
    replace_batch_normalisation,
)

CROPS = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)


def run(path: Path, **inputs: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def test_batch_normalisation_becomes_a_convolution_of_equal_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = {
        "scale": rng.normal(size=3),
        "offset": rng.normal(size=3),
        "mean": rng.normal(size=3),
        "variance": rng.uniform(1, 2, 3),
    }
    graph = helper.make_graph(
        [helper.make_node("BatchNormalization", ["x", *values], ["y"], name="norm", epsilon=0.5)],
        "norm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 4, 5])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in values.items()],
    )
    path, x = tmp_path / "norm.onnx", rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    before = run(path, x=x)
    assert replace_batch_normalisation(path) == 1
    assert [node.op_type for node in onnx.load(path).graph.node] == ["Conv"]
    np.testing.assert_allclose(run(path, x=x), before, rtol=1e-5, atol=1e-6)
    by_hand = (x[0, 1, 2, 3] - values["mean"][1]) / np.sqrt(values["variance"][1] + 0.5) * values["scale"][1] + values["offset"][
        1
    ]
    assert before[0, 1, 2, 3] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_network_has_int8_weights_and_is_near_the_original(model_folders: Any, tmp_path: Path, method: Any, capfd: Any) -> None:
    path = tmp_path / NETWORK
    quantise_network(model_folders.onnx / NETWORK, path, CROPS, method)
    graph = onnx.load(path).graph
    weights = [one for one in graph.initializer if one.data_type == TensorProto.INT8 and len(one.dims) == 4]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(weights) == len(convolutions) > 10
    assert not [node for node in graph.node if node.op_type == "BatchNormalization"]
    scales = {node.input[0]: node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"}
    sizes = {one.name: one.dims for one in graph.initializer}
    assert all(list(sizes[scales[one.name]]) == [one.dims[0]] for one in weights), "a scale per output channel"
    expected, found = run(model_folders.onnx / NETWORK, crops=CROPS), run(path, crops=CROPS)
    assert 0 < np.abs(found - expected).max() < 0.2 * np.abs(expected).max()
    assert capfd.readouterr().out == ""


def test_calibration_crops_are_the_examples_without_training_persons() -> None:
    crops, about = pick_calibration_crops(ExportData(CROPS, "images of photos"), 3)
    np.testing.assert_array_equal(crops, CROPS[:3])
    assert (about["crops"], about["of"], about["data"]) == (3, "images of photos", "")
    others = pick_calibration_crops(ExportData(CROPS[1:], "images of photos"), 3)[1]
    assert about["crops_xxh3"] != others["crops_xxh3"]
