"""Reading and holding the named places (taps) of a network's forward pass, and predicting persons of a crop set.

read      edits[tap] = value -> value, remembered on the way
hold      edits[tap] = value -> the same constant for every person of the batch
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel
from posescope.core.records import PosePredictions
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.errors import ExplainabilityError
from posescope.models.base import Interventions

__all__ = [
    "batches_of_rows",
    "constant_patches",
    "constant_patch",
    "mean_activations",
    "mean_colour_image",
    "predict_persons",
    "read_activations",
    "zeros",
]


def batches_of_rows(rows: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut rows into consecutive batches of at most `batch_size`."""
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def constant_patch(value: Tensor) -> Callable[[Tensor], Tensor]:
    """An edit that puts a constant (1, C, h, w), or one value a person of the batch (n, C, h, w), in the place of what came.

    Raises:
        ExplainError: in the forward pass, if what came has another (C, h, w): pooled features would otherwise be spread over
            space without a word.
    """

    def edit(found: Tensor) -> Tensor:
        if value.shape[1:] != found.shape[1:]:
            raise ExplainabilityError(
                f"A value of shape {tuple(value.shape[1:])} cannot be put where the network has {tuple(found.shape[1:])}. "
                "Features that are pooled over space cannot be decoded (explainability.persons.pooling)."
            )
        # A copy: a network may go on in place, which a view of one constant for the whole batch would not survive.
        return value.to(found).expand_as(found).clone()

    return edit


def zeros(found: Tensor) -> Tensor:
    """An edit that switches a tap off."""
    return torch.zeros_like(found)


def read_activations(model: PoseModel, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """The values of a forward pass at some taps.

    Args:
        model: the network.
        images: (n, H, W, 3) uint8 RGB.
        layers: names out of `model.network.layer_names`.

    Returns:
        For each tap (n, C, h, w), on the model's device.

    Raises:
        ExplainError: if the network has no such tap; lists those it has.
    """
    unknown = [layer for layer in layers if layer not in model.network.layer_names]
    if unknown:
        raise ExplainabilityError(f"The network has no tap {', '.join(unknown)}. It has: {', '.join(model.network.layer_names)}.")
    values: dict[str, Tensor] = {}

    def remember(layer: str) -> Callable[[Tensor], Tensor]:
        def edit(value: Tensor) -> Tensor:
            values[layer] = value.detach().clone()  # the network may go on in place
            return value

        return edit

    model.heatmaps(images, interventions={layer: remember(layer) for layer in layers})
    return values


def mean_activations(
    model: PoseModel, crops: CropSet, rows: NDArray[np.int64], layers: Sequence[str], batch_size: int
) -> dict[str, Tensor]:
    """Mean value of taps over the persons at `rows`: (1, C, h, w) float32 each, on the CPU; summed in float64."""
    sums: dict[str, Tensor] = {}
    for batch in tqdm(batches_of_rows(rows, batch_size), desc="mean of skips", leave=False):
        for layer, value in read_activations(model, torch.from_numpy(crops.read_images(batch)), layers).items():
            total = value.float().sum(dim=0, keepdim=True).cpu().double()
            sums[layer] = sums[layer] + total if layer in sums else total
    return {layer: (total / len(rows)).float() for layer, total in sums.items()}


def predict_persons(
    model: PoseModel, crops: CropSet, rows: NDArray[np.int64], batch_size: int, interventions: Interventions | None = None
) -> PosePredictions:
    """Predictions for the persons at `rows`, in that order; joints in crop px."""
    decoded = [
        model.predict(torch.from_numpy(crops.read_images(batch)), interventions)
        for batch in tqdm(batches_of_rows(rows, batch_size), desc="predict", leave=False)
    ]
    count = len(model.skeleton)
    return PosePredictions(
        person_ids=crops.targets.person_ids[rows],
        joints=np.concatenate([np.empty((0, count, 2), np.float32), *(d.joints.float().cpu().numpy() for d in decoded)]),
        scores=np.concatenate([np.empty((0, count), np.float32), *(d.scores.float().cpu().numpy() for d in decoded)]),
    )


def mean_colour_image(model: PoseModel) -> Tensor:
    """(1, H, W, 3) uint8: an image of the mean colour everywhere, which the normalised network sees as (almost) nothing."""
    colour = torch.tensor(model.mean_rgb).mul(255).round().to(torch.uint8)
    return colour.expand(1, *model.crop_size, 3)


def constant_patches(values: Mapping[str, Tensor]) -> dict[str, Callable[[Tensor], Tensor]]:
    """Edits that hold each tap at its value."""
    return {layer: constant_patch(value) for layer, value in values.items()}
