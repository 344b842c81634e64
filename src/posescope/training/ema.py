"""Exponential moving average (EMA) of a network's weights."""

import copy

import torch

from posescope.models.base import PoseNetwork

__all__ = ["ExponentialMovingAverage"]


class ExponentialMovingAverage:
    """Moving average of weights and batch-norm statistics: average <- d * average + (1 - d) * weights after each step.

    The decay is d = min(decay, (1 + step) / (10 + step)), so that the first, random weights are soon forgotten.

    Args:
        network: network with the initial weights; it is copied.
        decay: upper bound of d, 0..1.
    """

    def __init__(self, network: PoseNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: PoseNetwork, step: int) -> None:
        """Add the weights of a step.

        Args:
            network: network after the step.
            step: index of the step in the run, from 0.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        floats, counters = ([pair for pair in pairs if pair[0].is_floating_point() == kind] for kind in (True, False))
        # Multi-tensor operations: hundreds of small operations per step would delay a GPU.
        torch._foreach_lerp_([average for average, _ in floats], [value for _, value in floats], 1 - decay)
        if counters:
            torch._foreach_copy_([average for average, _ in counters], [value for _, value in counters])
