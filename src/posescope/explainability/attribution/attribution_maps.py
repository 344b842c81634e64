"""Pixel attribution by integrated gradients and occlusion (Captum).

The explained value f(x) of a joint is its heatmap at one px, by default at its maximum. The baseline is an image of the mean
colour, which is 0 after normalisation.

    integrated gradients    x * mean gradient on the straight line from 0 to x (Sundararajan, Taly and Yan, 2017); the sum over
                            all pixels is f(x) - f(0)
    occlusion               f(x) - f(x with a window of the mean colour), averaged over the windows of each pixel (Zeiler and
                            Fergus, 2014)

Integrated gradients are zero for pixels of the mean colour, so both methods are reported.
"""

from copy import deepcopy
from functools import partial
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from posescope.core.extras import install_command
from posescope.core.torch_rng import fork_torch_rng
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.models.base import PoseNetwork

__all__ = [
    "HeatmapValues",
    "MissingCaptumError",
    "attribute_gradients",
    "attribute_occlusion",
    "freeze",
    "load_captum",
    "randomise_weights",
]


class MissingCaptumError(ExplainabilityError):
    """The analysis `attribution` needs Captum, which is not installed."""


def load_captum() -> ModuleType:
    """Import the module `captum.attr`.

    Raises:
        MissingCaptumError: if Captum is not installed.
    """
    try:
        from captum import attr  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise MissingCaptumError(
            f"The analysis 'attribution' needs Captum, which is not installed. Run {install_command('captum')}, or remove "
            "'attribution' from explainability.analyses.selected."
        ) from error
    return attr  # type: ignore[no-any-return]


def freeze(network: PoseNetwork) -> PoseNetwork:
    """Return a copy in evaluation mode whose weights require no gradients."""
    return deepcopy(network).eval().requires_grad_(requires_grad=False)


def randomise_weights(network: PoseNetwork, seed: int) -> PoseNetwork:
    """Return a frozen copy with random weights (Adebayo et al., 2018, "Sanity checks for saliency maps").

    Modules are reset by their `reset_parameters`, including running statistics. Parameters of other modules are drawn from a
    normal distribution with their mean and standard deviation. The global random state is restored.

    Args:
        network: the trained network.
        seed: random seed of the weights.
    """
    fresh = freeze(network)
    with fork_torch_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for module in fresh.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            else:
                for parameter in module.parameters(recurse=False):
                    _redraw(parameter)
    return fresh


def _redraw(parameter: nn.Parameter) -> None:
    spread = float(parameter.std()) if parameter.numel() > 1 else float(parameter.abs())
    parameter.copy_((torch.randn(parameter.shape) * spread + float(parameter.mean())).to(parameter))


class HeatmapValues:
    """Computes the explained values: heatmaps of a network at one px per joint.

    Args:
        network: frozen network.
        joints: (J,) indices of the heatmaps.
        sum_neighbours: sum over the px and its eight neighbours.
    """

    def __init__(self, network: PoseNetwork, joints: NDArray[np.int64], *, sum_neighbours: bool = False) -> None:
        self.network, self.sum_neighbours = network, sum_neighbours
        self.joints = torch.from_numpy(joints).to(next(network.parameters()).device)

    def __call__(self, images: Tensor, map_indices: Tensor) -> Tensor:
        """Compute the values.

        Args:
            images: (n, 3, H, W) normalised.
            map_indices: (n, J) or (1, J) heatmap px, as row-major indices.

        Returns:
            (n, J).
        """
        maps = self.network(images)[-1][:, self.joints].float()
        if self.sum_neighbours:
            maps = 9 * F.avg_pool2d(maps, kernel_size=3, stride=1, padding=1)
        chosen: Tensor = maps.flatten(2).gather(2, map_indices.expand(len(images), -1)[..., None])[..., 0]
        return chosen


def attribute_gradients(
    values: HeatmapValues, images: Tensor, map_indices: Tensor, *, steps: int, batch_size: int
) -> NDArray[np.float32]:
    """Compute integrated gradients.

    Args:
        values: the explained values.
        images: (N, 3, H, W) normalised, on the network's device.
        map_indices: (N, J) heatmap px.
        steps: number of points of the Gauss-Legendre rule.
        batch_size: images per pass.

    Returns:
        (N, J, H, W), summed over the colour channels.
    """
    method = load_captum().IntegratedGradients(values)
    count = map_indices.shape[1]
    found = np.empty((len(images), count, *images.shape[2:]), np.float32)
    batches = batches_of_rows(np.arange(len(images)), batch_size)
    for joint in tqdm(range(count), desc="integrated gradients", leave=False, disable=count < 2):
        for batch in batches:
            attributions = method.attribute(
                images[batch],
                target=joint,
                additional_forward_args=(map_indices[batch],),
                n_steps=steps,
                internal_batch_size=batch_size,
            )
            found[batch, joint] = attributions.sum(dim=1).detach().float().cpu().numpy()
    return found


def attribute_occlusion(
    values: HeatmapValues, images: Tensor, map_indices: Tensor, *, window_px: int, stride_px: int, batch_size: int
) -> NDArray[np.float32]:
    """Compute occlusion by windows of the mean colour, for all joints in one sweep per person.

    Args:
        values, images, map_indices: see `attribute_gradients`.
        window_px: side of the window.
        stride_px: stride of the window.
        batch_size: windows per pass.

    Returns:
        (N, J, H, W).
    """
    captum, colours = load_captum(), images.shape[1]
    found = np.empty((len(images), map_indices.shape[1], *images.shape[2:]), np.float32)
    with torch.no_grad():
        for row in tqdm(range(len(images)), desc="occlusion", leave=False):
            method = captum.Occlusion(partial(values, map_indices=map_indices[row : row + 1]))
            # Captum returns one map for each value of the function, so all joints share a pass.
            attributions = method.attribute(
                images[row : row + 1],
                sliding_window_shapes=(colours, window_px, window_px),
                strides=(colours, stride_px, stride_px),
                perturbations_per_eval=batch_size,
            )
            found[row] = attributions[:, 0].float().cpu().numpy()
    return found
