"""The PyTorch backend. It is the only module of the engine's core that imports torch; others import it where they use it."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.artifacts.description import ModelDescription
from posescope.artifacts.exported_model import check_finite_joints
from posescope.artifacts.model_folder import load_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import Component, Options
from posescope.core.records import CropJoints
from posescope.models.layers import Interventions

__all__ = ["OpenTorchBackend", "TorchBackend"]


class TorchBackend:
    """A trained model in PyTorch.

    Args:
        model: on the device where it runs.
        interventions: functions of activations by layer; not together with a flip test.
        folder: folder of the model. If given, predictions that are not finite are refused in its name.
    """

    name = "torch"

    def __init__(self, model: PoseModel, interventions: Interventions | None = None, folder: Path | None = None) -> None:
        self.model, self._interventions, self._folder = model, interventions, folder

    @classmethod
    def load(cls, folder: Path, device: str = "auto", allow: Collection[str] = ()) -> "TorchBackend":
        """Read a model folder that has `model.safetensors`.

        Args:
            folder: as `save_model` left it.
            device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
            allow: dotted paths of components that the folder may name.

        Raises:
            ModelFolderError: if it cannot be read.
            OptionsError: if the device does not exist.
        """
        return cls(load_model(folder, device, allow), folder=folder)

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        """Return joints and scores of N crops.

        Args:
            crops: (N, H, W, 3) uint8 RGB.
            flip_test: whether heatmaps are averaged with those of the mirrored crops.

        Raises:
            ModelFolderError: if the model of a folder predicts NaN or infinite numbers.
        """
        found = self.decode(self.heatmaps(crops, flip_test))
        if self._folder is not None:
            check_finite_joints(found, self._folder)
        return found

    def heatmaps(self, crops: NDArray[np.uint8], flip_test: bool = False) -> Tensor:
        """Return the heatmaps to decode, after the flip test if any: (N, K, h, w) float32 on the model's device.

        Args:
            crops, flip_test: see `run`.
        """
        return self.model.heatmaps(torch.from_numpy(crops), self._interventions, flip_test)

    def decode(self, heatmaps: Tensor) -> CropJoints:
        """Return the joints (crop px) and scores that the model's codec reads from heatmaps (N, K, h, w)."""
        decoded = self.model.codec.decode(heatmaps)
        return CropJoints(decoded.joints.float().cpu().numpy(), decoded.scores.float().cpu().numpy())


class OpenTorchBackend(Component[Options]):
    """Run a trained model by PyTorch, on the CPU or with CUDA."""

    def __call__(
        self, description: ModelDescription, device: str = "auto", threads: int = 0, allow: Collection[str] = ()
    ) -> TorchBackend:
        """Open a folder.

        Args:
            description: of a folder with `model.safetensors`.
            device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
            threads: not used: torch has one number of threads per process.
            allow: dotted paths of components that the folder may name.
        """
        return TorchBackend.load(description.folder, device, allow)
