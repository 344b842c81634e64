"""Model complexity: numbers of parameters and of multiply-accumulates (MACs)."""

import torch
from torch import Tensor, nn

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
        network: a pose network of `Conv2d` and `Linear` layers.
        crop_size: (height, width) px.
    """
    total = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            products = layer.weight.numel() // layer.weight.shape[0]  # summed per output value
            total += output.numel() * products

    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    was_training = network.training
    try:
        device = next(network.parameters()).device
        network.eval()(torch.zeros(1, 3, *crop_size, device=device))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
