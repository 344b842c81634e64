"""An exponential moving average of a network's weights: often better than the last weights themselves."""

import copy

import torch
from torch import Tensor

from posescope.models.network import PoseNetwork

__all__ = ["WeightAverage"]


class WeightAverage:
    """average <- d * average + (1 - d) * weights after every step, batch norm's statistics included.

    The decay starts low, d = min(decay, (1 + step) / (10 + step)), so that the first, random weights are soon forgotten.
    """

    def __init__(self, network: PoseNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: PoseNetwork, step: int) -> None:
        """Take in the weights after the `step`-th step (0-based)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        source = network.state_dict()
        for name, average in self.network.state_dict().items():
            _blend(average, source[name], decay)


def _blend(average: Tensor, value: Tensor, decay: float) -> None:
    if average.is_floating_point():
        average.lerp_(value, 1 - decay)
    else:
        average.copy_(value)
