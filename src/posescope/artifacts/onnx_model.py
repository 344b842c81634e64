"""An exported model, run by ONNX Runtime without PyTorch: the backend `onnx` of the prediction engine."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.description import DESCRIPTION, ModelDescription, ModelFolderError, check_file
from posescope.artifacts.onnx_file import check_self_contained
from posescope.artifacts.onnx_runtime import OnnxRuntime, load_onnxruntime
from posescope.core.records import CropJoints

__all__ = ["DECODER", "FLIP_TEST_DECODER", "NETWORK", "OnnxModel", "check_finite_joints"]

NETWORK, DECODER, FLIP_TEST_DECODER = "model.onnx", "decoder.onnx", "flip_test_decoder.onnx"


def check_finite_joints(found: CropJoints, folder: Path) -> None:
    """Check that joints and scores are finite; a model that predicts others is broken.

    Args:
        found: joints and scores of N crops.
        folder: the model folder, for the message.

    Args:
        found: The predictions.
        folder: Folder of the model, for the error message.

    Raises:
        ModelFolderError: if one is NaN or infinite.
    """
    if not (np.isfinite(found.joints).all() and np.isfinite(found.scores).all()):
        raise ModelFolderError(f"{folder}: the model predicts NaN or infinite numbers. Train, export or download it again.")


class OnnxModel:
    """An exported model.

    Args:
        description: of a folder written by `export_onnx`.
        threads: of ONNX Runtime; 0: one per CPU that this process may use.
        device: `auto` (CUDA if ONNX Runtime has it), `cpu`, `cuda` or `cuda:<index>`.

    Raises:
        ModelFolderError: if a file is missing, damaged, unreadable, or has other shapes than the description states.
        OptionsError: if ONNX Runtime is not installed, or does not have the device.
    """

    name = "onnx"

    def __init__(self, description: ModelDescription, threads: int = 0, device: str = "auto") -> None:
        runtime = load_onnxruntime("This model")
        _check_files(description)
        # With a damaged file ONNX Runtime may fail to decode its own messages.
        self._errors: tuple[type[Exception], ...] = (*runtime.errors, UnicodeDecodeError)
        self.description = description
        self._network, self._decoder, self._flip_test_decoder = (
            self._open(runtime, name, threads, device) for name in (NETWORK, DECODER, FLIP_TEST_DECODER)
        )
        self._check_shapes()

    def heatmaps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the heatmaps (N, K, h, w) float32 of crops (N, H, W, 3) uint8 RGB."""
        maps: NDArray[np.float32] = self._run_session(self._network, NETWORK, {"crops": np.ascontiguousarray(crops)})[0]
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
            found = CropJoints(*self._run_session(self._decoder, DECODER, {"heatmaps": maps}))
        else:
            inputs = {"heatmaps": maps, "mirrored": mirrored}
            found = CropJoints(*self._run_session(self._flip_test_decoder, FLIP_TEST_DECODER, inputs))
        check_finite_joints(found, self.description.folder)
        return found

    def _open(self, runtime: OnnxRuntime, name: str, threads: int, device: str) -> Any:
        path = self.description.folder / name
        try:
            return runtime.open(path, threads, device)
        except self._errors as error:
            raise ModelFolderError(f"{path}: ONNX Runtime cannot read this file: {error}") from error

    def _run_session(self, session: Any, name: str, inputs: dict[str, NDArray[Any]]) -> list[Any]:
        try:
            return session.run(None, inputs)  # type: ignore[no-any-return]
        except self._errors as error:
            shapes = ", ".join(f"{key} {value.shape}" for key, value in inputs.items())
            raise ModelFolderError(f"{self.description.folder / name}: ONNX Runtime failed for {shapes}: {error}") from error

    def _check_shapes(self) -> None:
        joints = len(self.description.skeleton)
        maps = [joints, *_shape(self._network.get_outputs()[0])[1:]]
        for name, session, inputs, outputs in (
            (NETWORK, self._network, {"crops": [*self.description.crop_size, 3]}, [maps]),
            (DECODER, self._decoder, {"heatmaps": maps}, [[joints, 2], [joints]]),
            (FLIP_TEST_DECODER, self._flip_test_decoder, {"heatmaps": maps, "mirrored": maps}, [[joints, 2], [joints]]),
        ):
            found = {one.name: _shape(one) for one in session.get_inputs()}, [_shape(one) for one in session.get_outputs()]
            expected = [*inputs.values(), *outputs]
            same_names = list(inputs) == list(found[0]) and len(outputs) == len(found[1])
            if not same_names or not all(map(_fits, expected, [*found[0].values(), *found[1]])):
                raise ModelFolderError(
                    f"{self.description.folder / name}: by {DESCRIPTION} expected inputs {inputs} and outputs {outputs}, "
                    f"found {found[0]} and {found[1]} (shapes of one crop). Export the model again."
                )


def _check_files(description: ModelDescription) -> None:
    """Check that exactly the three files are listed, each with its checksum, and hold all weights themselves."""
    files, names = description.onnx.get("files"), (NETWORK, DECODER, FLIP_TEST_DECODER)
    if not isinstance(files, dict) or set(files) != set(names):
        raise ModelFolderError(
            f"{description.folder / DESCRIPTION}: onnx.files: expected the checksums of {', '.join(names)}, found {files!r}. "
            "Export the model again."
        )
    for name in names:
        check_file(description.folder / name, str(files[name]))
        check_self_contained(description.folder / name)


def _shape(place: Any) -> list[Any]:
    """Return the shape without the batch axis."""
    return list(place.shape[1:])


def _fits(expected: list[Any], found: list[Any]) -> bool:
    """Return True if all sides that both state are equal; a graph may leave sides open."""
    sides = zip(expected, found, strict=False)
    known = ((one, two) for one, two in sides if isinstance(one, int) and isinstance(two, int))
    return len(expected) == len(found) and all(one == two for one, two in known)
