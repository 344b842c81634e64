"""What a backend is, and which one runs a model folder."""

from collections.abc import Collection
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.description import ModelDescription, ModelFolderError
from posescope.artifacts.onnx_model import NETWORK, OnnxModel
from posescope.core.records import CropJoints

__all__ = ["Backend", "BackendName", "open_backend"]

BackendName: TypeAlias = Literal["auto", "onnx", "torch"]


class Backend(Protocol):
    """Runs a network and its decoder.

    Attributes:
        name: `torch` or `onnx`.
    """

    name: str

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        """Return joints and scores of N crops.

        Args:
            crops: (N, H, W, 3) uint8 RGB.
            flip_test: whether heatmaps are averaged with those of the mirrored crops.
        """
        ...


def open_backend(
    description: ModelDescription,
    name: BackendName = "auto",
    *,
    device: str = "auto",
    threads: int = 0,
    allow: Collection[str] = (),
) -> Backend:
    """Open a model folder by the backend of this name.

    Args:
        description: description of the folder.
        name: `onnx`, `torch`, or `auto`: ONNX Runtime if the folder holds an exported model, else PyTorch.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
        threads: number of threads of ONNX Runtime; 0: one per CPU of this process.
        allow: dotted paths (`package.module:Class`) of plug-in components that the model folder may name.

    Raises:
        ModelFolderError: if the folder holds no such model, or it cannot be read.
        OptionsError: if the device does not exist, or a package is not installed.
    """
    is_exported = bool(description.onnx) or (description.folder / NETWORK).is_file()
    if name == "onnx" and not is_exported:
        folder = description.folder
        raise ModelFolderError(f"{folder}: this model is not exported; posescope export --model {folder} --out <folder>.")
    if name == "onnx" or (name == "auto" and is_exported):
        return OnnxModel(description, threads, device)
    from posescope.prediction.backends.torch_backend import TorchBackend  # noqa: PLC0415  (torch takes seconds to import)

    return TorchBackend.load(description.folder, device, allow)
