"""Static quantisation of an ONNX network to INT8 by ONNX Runtime, in the format QDQ (Jacob et al., 2018).

    weights       int8, symmetric, one scale per output channel
    activations   uint8, one scale per tensor, from the ranges that the calibration crops give

A BatchNormalization that follows an addition cannot be folded into a convolution, and ONNX Runtime would compute it in float32.
It becomes a depthwise 1 x 1 convolution, which is quantised like the others (docs/decisions: formats).
"""

import io
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.extras import translate_missing
from posescope.core.plugins import Options
from posescope.prediction.exporters.exporter import ExportData

__all__ = [
    "CalibrationMethod", "QuantisationOptions", "network_quantiser", "pick_calibration_crops", "quantise_network",
    "replace_batch_normalisation",
]  # fmt: skip

CalibrationMethod: TypeAlias = Literal["minmax", "percentile"]

_BATCH = 4
_INPUT = "crops"
# Other operations, such as those of softmax and of layer normalisation, stay in float32.
_QUANTISED = [
    "Add", "AveragePool", "Concat", "Conv", "ConvTranspose", "Gemm", "GlobalAveragePool", "MatMul", "MaxPool", "Relu", "Resize",
]  # fmt: skip


class QuantisationOptions(Options):
    """How a network is quantised, and what it may cost."""

    calibration_crops: int = Field(256, ge=1, le=100_000, description="training crops that give the ranges of the activations")
    method: CalibrationMethod = Field(
        "minmax", description="values inside the range of an activation. minmax: all; percentile: 99.999 %, slower"
    )
    max_pck_loss: float = Field(0.01, gt=0, le=1, description="largest accepted loss of pck_thesis on the validation persons")
    tolerance: float = Field(
        0.5, gt=0, le=10, description="largest accepted difference of a heatmap px, as a fraction of the largest heatmap px"
    )


def pick_calibration_crops(data: ExportData, count: int) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return crops for the ranges of activations, and their description: training persons if there are any, else the examples.

    Args:
        data: crops at hand.
        count: largest number of crops; they are spread evenly over the persons.
    """
    if data.train is None:
        crops, origin = data.examples[:count], data.origin
    else:
        total = len(data.train.crops)
        rows = np.unique(np.linspace(0, total - 1, min(count, total)).astype(np.int64))
        crops, origin = data.train.crops.read_images(rows), "training persons"
    digest = xxhash.xxh3_64_hexdigest(np.ascontiguousarray(crops).data)
    return crops, {"crops": len(crops), "of": origin, "data": data.data, "crops_xxh3": digest}


def network_quantiser(data: ExportData, options: QuantisationOptions) -> Callable[[Path, Path], Mapping[str, Any]]:
    """Return a function that writes the INT8 network of a float32 network, and returns what the description states of it.

    Args:
        data: crops at hand.
        options: how it is quantised.
    """

    def quantise(network: Path, destination: Path) -> Mapping[str, Any]:
        crops, about = pick_calibration_crops(data, options.calibration_crops)
        quantise_network(network, destination, crops, options.method)
        return {"quantisation": {**about, "method": options.method}}

    return quantise


def quantise_network(network: Path, destination: Path, crops: NDArray[np.uint8], method: CalibrationMethod = "minmax") -> None:
    """Write the INT8 network of a float32 network.

    Args:
        network: ONNX file with one input `crops` (N, H, W, 3) uint8.
        destination: the ONNX file to write.
        crops: (n, H, W, 3) uint8 RGB, n > 0, which give the ranges of the activations.
        method: which values are inside the range of an activation: all of them, or 99.999 %.

    Raises:
        OptionsError: if the package onnx is missing.
    """
    with translate_missing("export", "export"):
        import onnx  # noqa: F401, PLC0415  (without it, the next import fails with another message)
        from onnxruntime import quantization as ort  # noqa: PLC0415
        from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415
    methods = {"minmax": "MinMax", "percentile": "Percentile"}
    with TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder, "prepared.onnx")
        quant_pre_process(network, prepared, skip_symbolic_shape=True)
        replace_batch_normalisation(prepared)
        ort.quantize_static(
            prepared,
            destination,
            _reader(ort, crops),
            quant_format=ort.QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            activation_type=ort.QuantType.QUInt8,
            weight_type=ort.QuantType.QInt8,
            calibrate_method=ort.CalibrationMethod[methods[method]],
        )


def replace_batch_normalisation(path: Path) -> int:
    """Replace each BatchNormalization with constant parameters by a depthwise 1 x 1 convolution, in place.

    Args:
        path: ONNX file of a network for inference.

    Returns:
        The number of replaced nodes.
    """
    import onnx  # noqa: PLC0415

    model = onnx.load(path)
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    nodes, added, replaced = [], [], 0
    for node in model.graph.node:
        if node.op_type != "BatchNormalization" or not set(node.input[1:]) <= set(constants):
            nodes.append(node)
            continue
        weight, bias = _fold(node, constants)
        names = [f"{node.name}.depthwise_weight", f"{node.name}.depthwise_bias"]
        shape = (len(weight), 1, 1, 1)
        added += [onnx.numpy_helper.from_array(weight.reshape(shape), names[0]), onnx.numpy_helper.from_array(bias, names[1])]
        inputs, output, name = [node.input[0], *names], [node.output[0]], f"{node.name}.depthwise"
        nodes.append(onnx.helper.make_node("Conv", inputs, output, name, group=len(weight), kernel_shape=[1, 1]))
        replaced += 1
    used = {name for node in nodes for name in node.input}
    kept = [one for one in model.graph.initializer if one.name in used] + added
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)
    onnx.save(model, path)
    return replaced


def _fold(node: Any, constants: dict[str, NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return factor and offset per channel of a BatchNormalization."""
    scale, offset, mean, variance = (constants[name].astype(np.float64) for name in node.input[1:5])
    epsilon = next((one.f for one in node.attribute if one.name == "epsilon"), 1e-5)
    factor = scale / np.sqrt(variance + epsilon)
    return factor.astype(np.float32), (offset - mean * factor).astype(np.float32)


def _reader(ort: Any, crops: NDArray[np.uint8]) -> Any:
    batches = iter([{_INPUT: np.ascontiguousarray(crops[first : first + _BATCH])} for first in range(0, len(crops), _BATCH)])

    class Reader(ort.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            return next(batches, None)

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser, which logs advice to the root logger and prints its progress."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(before)
