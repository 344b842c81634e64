"""Losses as components: `loss(options)(predicted, target, weight) -> scalar`, for one stack; the loop sums over stacks."""

from typing import ClassVar

from torch import Tensor

from posescope.plugins import Options

__all__ = ["MeanSquaredError", "MeanSquaredErrorOptions"]


class MeanSquaredErrorOptions(Options):
    """None."""


class MeanSquaredError:
    """Component `mse`: the mean, over persons, joints and cells, of weight x (predicted - target)^2.

    A joint of weight 0 adds nothing but is counted in the mean, so that the figure is the study's where all weights are 1.
    """

    Options: ClassVar[type[Options]] = MeanSquaredErrorOptions

    def __init__(self, options: MeanSquaredErrorOptions) -> None:
        self.options = options

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """(N, K, H, W), (N, K, H, W), (N, K) -> scalar."""
        return ((predicted - target).square().mean(dim=(2, 3)) * weight).mean()
