"""An exported model at work, by onnxruntime, without torch."""

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
    """Accept only finite joints and scores: a model that computes others is broken, whatever its files say.

    Raises:
        ModelFolderError: if one is NaN or infinite.
    """
    if not (np.isfinite(found.joints).all() and np.isfinite(found.scores).all()):
        raise ModelFolderError(f"{folder}: this model answers with NaN or infinite numbers. Train, export or fetch it again.")


class OnnxModel:
    """An exported model.

    Args:
        description: of a folder that `export_onnx` wrote.
        threads: of onnxruntime; 0: one per CPU that this process may use.
        device: `auto` (CUDA where onnxruntime has it), `cpu`, `cuda` or `cuda:<index>`.

    Raises:
        ModelFolderError: if a file is missing, damaged, cannot be read, or is not of the shapes that the description says.
        OptionsError: if onnxruntime is not installed, or does not have the device.
    """

    name = "onnx"

    def __init__(self, description: ModelDescription, threads: int = 0, device: str = "auto") -> None:
        runtime = load_onnxruntime("This model")
        _check_files(description)
        # A damaged file also makes it decode its own messages wrongly.
        self._errors: tuple[type[Exception], ...] = (*runtime.errors, UnicodeDecodeError)
        self.description = description
        self._network, self._decoder, self._flip_test_decoder = (
            self._open(runtime, name, threads, device) for name in (NETWORK, DECODER, FLIP_TEST_DECODER)
        )
        self._check_shapes()

    def heatmaps(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> (N, K, h, w) float32."""
        maps: NDArray[np.float32] = self._answer(self._network, NETWORK, {"crops": np.ascontiguousarray(crops)})[0]
        return maps

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        """(N, H, W, 3) uint8 RGB -> joints and scores; `flip_test` averages with the mirrored crops' heatmaps."""
        return self.decode(self.heatmaps(crops), self.heatmaps(crops[:, :, ::-1]) if flip_test else None)

    def decode(self, maps: NDArray[np.float32], mirrored: NDArray[np.float32] | None = None) -> CropJoints:
        """(N, K, h, w) float32 -> joints and scores; with the mirrored crops' heatmaps: of the mean of both."""
        if mirrored is None:
            found = CropJoints(*self._answer(self._decoder, DECODER, {"heatmaps": maps}))
        else:
            inputs = {"heatmaps": maps, "mirrored": mirrored}
            found = CropJoints(*self._answer(self._flip_test_decoder, FLIP_TEST_DECODER, inputs))
        check_finite_joints(found, self.description.folder)
        return found

    def _open(self, runtime: OnnxRuntime, name: str, threads: int, device: str) -> Any:
        path = self.description.folder / name
        try:
            return runtime.open(path, threads, device)
        except self._errors as error:
            raise ModelFolderError(f"{path}: onnxruntime cannot read it: {error}") from error

    def _answer(self, session: Any, name: str, inputs: dict[str, NDArray[Any]]) -> list[Any]:
        try:
            return session.run(None, inputs)  # type: ignore[no-any-return]
        except self._errors as error:
            shapes = ", ".join(f"{key} {value.shape}" for key, value in inputs.items())
            raise ModelFolderError(f"{self.description.folder / name}: onnxruntime failed on {shapes}: {error}") from error

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
    """Each file has its checksum, and it fits: what is not listed would be run unseen."""
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
    """Without the batch."""
    return list(place.shape[1:])


def _fits(expected: list[Any], found: list[Any]) -> bool:
    """Whether the sides that both name (a graph may leave some open) are the same."""
    sides = zip(expected, found, strict=False)
    known = ((one, two) for one, two in sides if isinstance(one, int) and isinstance(two, int))
    return len(expected) == len(found) and all(one == two for one, two in known)
