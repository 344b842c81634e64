"""Which pixels a joint's answer comes from: integrated gradients and occlusion, through Captum.

What is explained is one number a joint: the height of its heatmap at a cell, mostly the one where its peak lies. Both methods
hold the image against one of the mean colour, which the normalised network sees as nothing (0).

    integrated gradients   (x - 0) * mean of the gradient on the straight way from 0 to x (Sundararajan, Taly and Yan, 2017);
                           the sum over all pixels is f(x) - f(0)
    occlusion              f(x) - f(x with a window of the mean colour), in a pixel the mean of its windows (Zeiler and Fergus,
                           2014)

A pixel of the mean colour has no integrated gradient, whatever it means: the two methods are to be read together.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from posescope.core.torch_rng import fork_torch_rng
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.models.base import PoseNetwork

if TYPE_CHECKING:
    from types import ModuleType

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
    """Attribution was asked for, and Captum is not installed."""


def load_captum() -> "ModuleType":
    """Captum's methods.

    Raises:
        MissingCaptumError: if it is not installed.
    """
    try:
        from captum import attr  # noqa: PLC0415 - an extra: whoever asks for no attribution need not have it
    except ImportError as error:
        raise MissingCaptumError(
            "The analysis 'attribution' needs Captum, which is not installed. Run: pip install 'posescope[explain]', or take "
            "'attribution' out of explainability.analyses.selected."
        ) from error
    return attr  # type: ignore[no-any-return]


def freeze(network: PoseNetwork) -> PoseNetwork:
    """A copy in evaluation mode whose weights ask for no gradients: only the image's are of interest."""
    return deepcopy(network).eval().requires_grad_(requires_grad=False)


def randomise_weights(network: PoseNetwork, seed: int) -> PoseNetwork:
    """A frozen copy that has learned nothing (Adebayo et al., "Sanity checks for saliency maps", 2018).

    Every module starts afresh by its own `reset_parameters`, running means and variances too; a parameter of a module without
    one is drawn from the normal distribution of its mean and standard deviation. Other draws of torch are not disturbed.
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
    """The numbers that are explained: a network's heatmaps at one cell a joint.

    Args:
        network: frozen.
        joints: (J,) which of its heatmaps.
        around: sum the cells next to that one too.
    """

    def __init__(self, network: PoseNetwork, joints: NDArray[np.int64], *, around: bool = False) -> None:
        self.network, self.around = network, around
        self.joints = torch.from_numpy(joints).to(next(network.parameters()).device)

    def __call__(self, images: Tensor, cells: Tensor) -> Tensor:
        """(n, 3, H, W) normalised images, (n or 1, J) cells counted row by row -> (n, J)."""
        maps = self.network(images)[-1][:, self.joints].float()
        if self.around:
            maps = 9 * F.avg_pool2d(maps, kernel_size=3, stride=1, padding=1)
        chosen: Tensor = maps.flatten(2).gather(2, cells.expand(len(images), -1)[..., None])[..., 0]
        return chosen


def attribute_gradients(
    scores: HeatmapValues, images: Tensor, cells: Tensor, *, steps: int, batch_size: int
) -> NDArray[np.float32]:
    """Integrated gradients.

    Args:
        scores: what is explained.
        images: (N, 3, H, W) normalised, on the network's device.
        cells: (N, J) of each joint.
        steps: points of the Gauss-Legendre rule on the way from the mean colour.
        batch_size: images a pass.

    Returns:
        (N, J, H, W), summed over colours.
    """
    method = load_captum().IntegratedGradients(scores)
    count = cells.shape[1]
    found = np.empty((len(images), count, *images.shape[2:]), np.float32)
    batches = batches_of_rows(np.arange(len(images)), batch_size)
    for joint in tqdm(range(count), desc="integrated gradients", leave=False):
        for batch in batches:
            values = method.attribute(
                images[batch],
                target=joint,
                additional_forward_args=(cells[batch],),
                n_steps=steps,
                internal_batch_size=batch_size,
            )
            found[batch, joint] = values.sum(dim=1).detach().float().cpu().numpy()
    return found


def attribute_occlusion(
    scores: HeatmapValues, images: Tensor, cells: Tensor, *, window_px: int, stride_px: int, batch_size: int
) -> NDArray[np.float32]:
    """Occlusion by windows of the mean colour; one sweep a person serves all joints.

    Args:
        scores, images, cells: as of `attribute_gradients`.
        window_px: side of the window.
        stride_px: from one window to the next.
        batch_size: windows a pass.

    Returns:
        (N, J, H, W).
    """
    captum, colours = load_captum(), images.shape[1]
    found = np.empty((len(images), cells.shape[1], *images.shape[2:]), np.float32)
    with torch.no_grad():
        for row in tqdm(range(len(images)), desc="occlusion", leave=False):
            method = captum.Occlusion(_of_one(scores, cells[row : row + 1]))
            # All joints come from the same pass: Captum keeps a map for each number that the function returns.
            values = method.attribute(
                images[row : row + 1],
                sliding_window_shapes=(colours, window_px, window_px),
                strides=(colours, stride_px, stride_px),
                perturbations_per_eval=batch_size,
            )
            found[row] = values[:, 0].float().cpu().numpy()
    return found


def _of_one(scores: HeatmapValues, cells: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda images: scores(images, cells)
