"""Small ONNX networks for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["save_channel_means", "save_constant_network", "save_network"]


def save_network(
    path: Path,
    nodes: Sequence[Any],
    outputs: Sequence[Any],
    shape: Sequence[Any],
    kind: int = TensorProto.FLOAT,
    constants: Mapping[str, Any] | None = None,
) -> Path:
    """Save a network with the input `images`."""
    inputs = [helper.make_tensor_value_info("images", kind, shape)]
    initialisers = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "network", inputs, outputs, initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def save_constant_network(
    path: Path, *arrays: NDArray[Any], shape: Sequence[Any] = (1, 3, 64, 64), kind: int = TensorProto.FLOAT
) -> Path:
    """Save a network with constant outputs."""
    nodes = [helper.make_node("Identity", [f"c{i}"], [f"out{i}"]) for i in range(len(arrays))]
    outputs = [
        helper.make_tensor_value_info(f"out{i}", helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for i, array in enumerate(arrays)
    ]
    return save_network(path, nodes, outputs, shape, kind, {f"c{i}": array for i, array in enumerate(arrays)})


def save_channel_means(path: Path, shape: Sequence[Any] = (1, 3, 64, 64)) -> Path:
    """Save a network whose three heatmaps are the means of its input's channels over cells of 4 x 4 px."""
    nodes = [helper.make_node("AveragePool", ["images"], ["heatmaps"], kernel_shape=[4, 4], strides=[4, 4])]
    sides = [side // 4 if isinstance(side, int) else f"{side}_cells" for side in shape[2:]]
    outputs = [helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, (*shape[:2], *sides))]
    return save_network(path, nodes, outputs, shape)
