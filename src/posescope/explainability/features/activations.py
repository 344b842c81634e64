"""Activations of a network's layers, and predictions, for persons of a crop set."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.records import PosePredictions
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.models.layers import Interventions
from posescope.prediction.backends.torch_backend import TorchBackend
from posescope.prediction.predictor import Predictor

__all__ = ["mean_activations", "mean_colour_image", "predict_persons", "read_activations"]


def read_activations(model: PoseModel, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Read the activations of some layers in one forward pass.

    Args:
        model: the network.
        images: (n, H, W, 3) uint8 RGB.
        layers: short names or module paths.

    Returns:
        (n, C, h, w), (n, L, C) or (n, C) by layer, on the model's device.

    Raises:
        OptionsError: if the network has no such layer, or its activation cannot be read (`intervene`) or has another first
            dimension than the images.
    """
    values: dict[str, Tensor] = {}

    def reader(layer: str) -> Callable[[Tensor], Tensor]:
        def read(value: Tensor) -> Tensor:
            if len(value) != len(images):
                raise OptionsError(
                    f"Layer '{layer}': expected an activation per image, of first dimension {len(images)}, found "
                    f"{tuple(value.shape)}. Choose another layer."
                )
            values[layer] = value.detach().clone()  # the network may change the activation in place afterwards
            return value

        return read

    model.heatmaps(images, interventions={layer: reader(layer) for layer in layers})
    return values


def mean_activations(
    model: PoseModel, crops: CropSet, rows: NDArray[np.int64], layers: Sequence[str], batch_size: int
) -> dict[str, Tensor]:
    """Average activations over persons; sums are taken in float64.

    Args:
        model: the network.
        crops: the persons.
        rows: (n,) rows of `crops` that are averaged.
        layers: short names or module paths.
        batch_size: persons per forward pass.

    Returns:
        (1, C, h, w), (1, L, C) or (1, C) float32 by layer, on the CPU.
    """
    sums: dict[str, Tensor] = {}
    for batch in tqdm(batches_of_rows(rows, batch_size), desc="mean activations", leave=False):
        for layer, value in read_activations(model, torch.from_numpy(crops.read_images(batch)), layers).items():
            total = value.float().sum(dim=0, keepdim=True).cpu().double()
            sums[layer] = sums[layer] + total if layer in sums else total
    return {layer: (total / len(rows)).float() for layer, total in sums.items()}


def predict_persons(
    model: PoseModel, crops: CropSet, rows: NDArray[np.int64], batch_size: int, interventions: Interventions | None = None
) -> PosePredictions:
    """Predict the joints of persons of a crop set.

    Args:
        model: the network.
        crops: the persons.
        rows: (n,) rows of `crops`; the predictions follow their order.
        batch_size: persons per forward pass.
        interventions: functions of activations by layer.

    Returns:
        Joints in crop px.
    """
    chosen = crops.subset(rows)
    found = Predictor(model, TorchBackend(model, interventions), batch_size).predict_crops(chosen)
    return PosePredictions(chosen.targets.person_ids, found.joints, found.scores)


def mean_colour_image(model: PoseModel) -> Tensor:
    """Return a (1, H, W, 3) uint8 image of the mean training colour; after normalisation it is close to zero everywhere."""
    colour = torch.tensor(model.mean_rgb).mul(255).round().to(torch.uint8)
    return colour.expand(1, *model.crop_size, 3)
