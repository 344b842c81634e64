"""Losses as components: `loss(options)(predicted, target, weight) -> scalar`, for one stack; the loop sums over stacks."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import EncodedTargets
from posescope.core.plugins import Options

__all__ = ["MeanSquaredError", "MeanSquaredErrorOptions", "LossFunction", "supervise"]


class MeanSquaredErrorOptions(Options):
    """Options of `mse`."""

    foreground_weight: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="A cell counts 1 + emphasis x target: 0 is the plain mean, more looks at the peaks",
    )


class MeanSquaredError:
    """Component `mse`: the mean, over persons, joints and cells, of weight x (1 + emphasis x target) x (predicted - target)^2.

    Nearly all cells of a heatmap are empty, so that the plain mean first teaches a network to say nothing; with an emphasis the
    few cells of the peak count more.

    A joint of weight 0 adds nothing but is counted in the mean, so that the figure is the study's where all weights are 1.
    """

    Options: ClassVar[type[Options]] = MeanSquaredErrorOptions

    def __init__(self, options: MeanSquaredErrorOptions) -> None:
        self.options = options

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """(N, K, H, W), (N, K, H, W), (N, K) -> scalar."""
        foreground_weight = 1 + self.options.foreground_weight * target
        return ((foreground_weight * (predicted - target).square()).mean(dim=(2, 3)) * weight).mean()


# MERGED from supervision: The loss of a stacked network: every stack is held against the same targets (intermediate
# supervision).


class LossFunction(Protocol):
    """Component contract of `losses`: `loss(options)(predicted, target, weight) -> scalar`."""

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """(N, K, H, W), (N, K, H, W), (N, K) -> scalar, a mean over persons."""
        ...


def supervise(outputs: Sequence[Tensor], targets: EncodedTargets, loss: LossFunction) -> Tensor:
    """The sum of the losses of all stacks, in float32 whatever the network computes in."""
    return torch.stack([loss(output.float(), targets.heatmaps, targets.weights) for output in outputs]).sum()
