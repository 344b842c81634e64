"""An exponential moving average of a network's weights: often better than the last weights themselves."""

import copy

import torch

from posescope.models.base import PoseNetwork

__all__ = ["ExponentialMovingAverage"]


class ExponentialMovingAverage:
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
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        floats, counters = ([pair for pair in pairs if pair[0].is_floating_point() == kind] for kind in (True, False))
        # All at once: one by one, hundreds of small operations a step would hold up a GPU.
        torch._foreach_lerp_([average for average, _ in floats], [value for _, value in floats], 1 - decay)
        if counters:
            torch._foreach_copy_([average for average, _ in counters], [value for _, value in counters])
