"""Model complexity: numbers of parameters and of multiply-accumulates (MACs)."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from posescope.models.base import PoseNetwork

__all__ = ["count_macs", "count_parameters"]


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters of a network.

    Example:
        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


@torch.no_grad()
def count_macs(network: PoseNetwork, crop_size: tuple[int, int]) -> int:
    """Return the MACs of convolutions and linear layers in the forward pass of one crop.

    As in the literature, biases, batch norms, activations, pooling and additions do not count. The network runs once on zeros
    in evaluation mode; its mode is restored.

    Args:
        network: a pose network.
        crop_size: (height, width) px.
    """
    was_training, device = network.training, next(network.parameters()).device
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, *crop_size, device=device))
    network.train(was_training)
    return int(counter.get_total_flops()) // 2  # a multiply-accumulate counts as two operations
