"""The loss of a stacked network: every stack is held against the same targets (intermediate supervision)."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from posescope.codecs.base import EncodedTargets

__all__ = ["LossFunction", "supervise"]


class LossFunction(Protocol):
    """Component contract of `losses`: `loss(options)(predicted, target, weight) -> scalar`."""

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """(N, K, H, W), (N, K, H, W), (N, K) -> scalar, a mean over persons."""
        ...


def supervise(outputs: Sequence[Tensor], targets: EncodedTargets, loss: LossFunction) -> Tensor:
    """The sum of the losses of all stacks, in float32 whatever the network computes in."""
    return torch.stack([loss(output.float(), targets.heatmaps, targets.weights) for output in outputs]).sum()
