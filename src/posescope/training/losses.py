"""Losses of heatmaps, and intermediate supervision, which sums the loss over all stacks of a network."""

from collections.abc import Sequence
from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import EncodedTargets
from posescope.core.plugins import Component, Options

__all__ = ["MeanSquaredError", "MeanSquaredErrorOptions", "LossFunction", "supervise"]


class MeanSquaredErrorOptions(Options):
    """Options of `mse`."""

    foreground_weight: float = Field(
        default=0.0, ge=0, le=1000, description="The weight of a px is 1 + foreground_weight x target; 0: plain mean"
    )


class MeanSquaredError(Component[MeanSquaredErrorOptions]):
    """Mean squared error of heatmaps with a foreground weight.

    The mean over persons, joints and px of weight x (1 + foreground_weight x target) x (predicted - target)^2. Almost all px of a
    heatmap are background, and the plain mean is small for empty predictions. The foreground weight increases the influence of
    the peaks (docs/decisions/0006). A joint of weight 0 counts in the number of the mean, so that with weights of 1 the loss is
    that of the thesis.
    """

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss, a scalar; see `LossFunction`."""
        px_weight = 1 + self.options.foreground_weight * target
        return ((px_weight * (predicted - target).square()).mean(dim=(2, 3)) * weight).mean()


class LossFunction(Protocol):
    """Contract of the components of `posescope.losses`: `loss(options)(predicted, target, weight) -> scalar`, for one stack."""

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the mean loss over persons.

        Args:
            predicted: (N, K, H, W) heatmaps.
            target: (N, K, H, W) heatmaps.
            weight: (N, K) weight of each heatmap.
        """
        ...


def supervise(outputs: Sequence[Tensor], targets: EncodedTargets, loss: LossFunction) -> Tensor:
    """Return the sum of the losses of all stacks (Newell et al. 2016), computed in float32.

    Args:
        outputs: (N, K, H, W) heatmaps of each stack.
        targets: targets of the same persons.
        loss: loss of one stack.
    """
    return torch.stack([loss(output.float(), targets.heatmaps, targets.weights) for output in outputs]).sum()
