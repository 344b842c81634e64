"""An exported model, run without PyTorch: three graphs in the runtime of a subclass, checked against their description."""

import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.description import DESCRIPTION, FLOAT32, ModelDescription, ModelFolderError, check_file
from posescope.artifacts.onnx_file import check_self_contained
from posescope.core.hardware import INFERENCE_INSTRUCTIONS, read_cpu_instructions
from posescope.core.records import CropJoints

__all__ = ["DECODER", "FLIP_TEST_DECODER", "GRAPHS", "NETWORK", "ExportedModel", "Graph", "check_finite_joints"]

NETWORK, DECODER, FLIP_TEST_DECODER = GRAPHS = "model.onnx", "decoder.onnx", "flip_test_decoder.onnx"


class Graph(Protocol):
    """A graph that a runtime has opened."""

    @property
    def inputs(self) -> Mapping[str, Sequence[Any]]:
        """Shapes of the inputs by name, without the batch axis; a side is a number, or anything else where it is open."""
        ...

    @property
    def outputs(self) -> Sequence[Sequence[Any]]:
        """Shapes of the outputs in order, likewise."""
        ...

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return all outputs.

        Args:
            inputs: one array per input.
        """
        ...


def check_finite_joints(found: CropJoints, folder: Path) -> None:
    """Check that joints and scores are finite; a model that predicts others is broken.

    Args:
        found: joints and scores of N crops.
        folder: the model folder, for the message.

    Raises:
        ModelFolderError: if one is NaN or infinite.
    """
    if not (np.isfinite(found.joints).all() and np.isfinite(found.scores).all()):
        raise ModelFolderError(f"{folder}: the model predicts NaN or infinite numbers. Train, export or download it again.")


class ExportedModel:
    """An exported model.

    Attributes:
        description: of the folder.
        name: name of the backend.
        runtime: name of the runtime, for messages.
        device: `cpu` or `cuda`, on which the network runs.

    Args:
        description: of a folder with the three graphs.
        open_graph: opens the file of a graph.
        errors: the exceptions of the runtime.

    Raises:
        ModelFolderError: if a file is missing, damaged, unreadable, or has other shapes than the description states.
    """

    name = "exported"
    runtime = "the runtime"
    device = "cpu"

    def __init__(
        self, description: ModelDescription, open_graph: Callable[[Path], Graph], errors: tuple[type[Exception], ...]
    ) -> None:
        _check_files(description)
        # With a damaged file a runtime may fail to decode its own messages.
        self._errors: tuple[type[Exception], ...] = (*errors, UnicodeDecodeError)
        self.description = description
        self._graphs = {name: self._open(name, open_graph) for name in GRAPHS}
        self._check_shapes()

    @property
    def numerics(self) -> str:
        """What the predictions of a network of lower precision depend on: backend, precision, device and instructions of the CPU.

        Empty for float32, whose predictions agree everywhere except for rounding. A runtime chooses other kernels on another CPU:
        without VNNI, ONNX Runtime saturates sums of INT8 products, and without AVX512-BF16 or AMX, OpenVINO computes in float32.
        """
        precision = self.description.export.get("precision", FLOAT32)
        if precision == FLOAT32:
            return ""
        known = read_cpu_instructions()
        found = [one for one in INFERENCE_INSTRUCTIONS if one in known]
        if not known:  # not Linux: only the machine itself is known to agree
            found = ["host", platform.node()]
        return " ".join([self.name, str(precision), self.device, platform.machine(), *found])

    def heatmaps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the heatmaps (N, K, h, w) float32 of crops (N, H, W, 3) uint8 RGB."""
        maps: NDArray[np.float32] = self._run_graph(NETWORK, {"crops": np.ascontiguousarray(crops)})[0]
        return maps

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        """Return joints and scores of N crops.

        Args:
            crops: (N, H, W, 3) uint8 RGB.
            flip_test: whether heatmaps are averaged with those of the mirrored crops.

        Raises:
            ModelFolderError: if the network fails, or predicts NaN or infinite numbers.
        """
        return self.decode(self.heatmaps(crops), self.heatmaps(crops[:, :, ::-1]) if flip_test else None)

    def decode(self, maps: NDArray[np.float32], mirrored: NDArray[np.float32] | None = None) -> CropJoints:
        """Return joints and scores that the codec reads from heatmaps.

        Args:
            maps: (N, K, h, w) float32.
            mirrored: those of the mirrored crops, not mirrored back; if given, the mean of both is decoded.
        """
        if mirrored is None:
            found = CropJoints(*self._run_graph(DECODER, {"heatmaps": maps}))
        else:
            found = CropJoints(*self._run_graph(FLIP_TEST_DECODER, {"heatmaps": maps, "mirrored": mirrored}))
        check_finite_joints(found, self.description.folder)
        return found

    def _open(self, name: str, open_graph: Callable[[Path], Graph]) -> Graph:
        path = self.description.folder / name
        try:
            return open_graph(path)
        except self._errors as error:
            raise ModelFolderError(f"{path}: {self.runtime} cannot read this file: {_line_of(error)}") from error

    def _run_graph(self, name: str, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return self._graphs[name].run(inputs)
        except self._errors as error:
            shapes = ", ".join(f"{key} {value.shape}" for key, value in inputs.items())
            raise ModelFolderError(
                f"{self.description.folder / name}: {self.runtime} failed for {shapes}: {_line_of(error)}"
            ) from error

    def _check_shapes(self) -> None:
        joints = len(self.description.skeleton)
        maps = [joints, *list(self._graphs[NETWORK].outputs[0])[1:]]
        for name, inputs, outputs in (
            (NETWORK, {"crops": [*self.description.crop_size, 3]}, [maps]),
            (DECODER, {"heatmaps": maps}, [[joints, 2], [joints]]),
            (FLIP_TEST_DECODER, {"heatmaps": maps, "mirrored": maps}, [[joints, 2], [joints]]),
        ):
            graph = self._graphs[name]
            found = {key: list(shape) for key, shape in graph.inputs.items()}, [list(shape) for shape in graph.outputs]
            expected = [*inputs.values(), *outputs]
            same_names = list(inputs) == list(found[0]) and len(outputs) == len(found[1])
            if not same_names or not all(map(_fits, expected, [*found[0].values(), *found[1]])):
                raise ModelFolderError(
                    f"{self.description.folder / name}: by {DESCRIPTION} expected inputs {inputs} and outputs {outputs}, "
                    f"found {found[0]} and {found[1]} (shapes of one crop). Export the model again."
                )


def _check_files(description: ModelDescription) -> None:
    """Check that exactly the three files are listed, each with its checksum, and hold all weights themselves."""
    files = description.export.get("files")
    if not isinstance(files, dict) or set(files) != set(GRAPHS):
        raise ModelFolderError(
            f"{description.folder / DESCRIPTION}: export.files: expected the checksums of {', '.join(GRAPHS)}, found {files!r}. "
            "Export the model again."
        )
    for name in GRAPHS:
        check_file(description.folder / name, str(files[name]))
        check_self_contained(description.folder / name)


def _fits(expected: list[Any], found: list[Any]) -> bool:
    """Return True if all sides that both state are equal; a graph may leave sides open."""
    sides = zip(expected, found, strict=False)
    known = ((one, two) for one, two in sides if isinstance(one, int) and isinstance(two, int))
    return len(expected) == len(found) and all(one == two for one, two in known)


def _line_of(error: Exception) -> str:
    return " ".join(str(error).split())
