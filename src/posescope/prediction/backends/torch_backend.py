"""A trained model at work in PyTorch: what `OnnxModel` is for an exported one."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from posescope.artifacts.model_folder import read_model
from posescope.artifacts.onnx_model import CropJoints, check_finite_joints

__all__ = ["TorchBackend"]


class TorchBackend:
    """A model folder with `model.safetensors`.

    Args:
        folder: as `write_model` left it.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
        allow: dotted paths of components that the folder may name.

    Raises:
        ModelFolderError: if it cannot be read.
        OptionsError: if the device does not exist.
    """

    name = "torch"

    def __init__(self, folder: Path, device: str = "auto", allow: Collection[str] = ()) -> None:
        self._folder = folder
        self._model = read_model(folder, device, allow)

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        """(N, H, W, 3) uint8 RGB -> joints and scores; `flip_test` averages with the mirrored crops' heatmaps."""
        decoded = self._model.predict(torch.from_numpy(crops), flip_test=flip_test)
        found = CropJoints(decoded.joints.float().cpu().numpy(), decoded.scores.float().cpu().numpy())
        check_finite_joints(found, self._folder)
        return found
