"""Outputs of layers: which tensor is the activation, how it is replaced, and where a network is narrowest.

output of the module                         activation
(N, C, h, w), (N, L, C) or (N, C)            the tensor: a map, L tokens, a vector
tuple that begins with such a tensor         its first element, if no other element has as many dimensions
anything else                                none: ambiguous
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["LayerOutput", "activation_in", "find_narrowest", "record_outputs", "replace_activation"]

_MAP, _TOKENS, _VECTOR = 4, 3, 2  # numbers of dimensions
_MORE = 1.1  # tokens beside those of the grid, such as the class token, do not count


@dataclass(frozen=True)
class LayerOutput:
    """What one layer returned.

    Attributes:
        layer: path of the module.
        shape: of its activation; None: it has none.
    """

    layer: str
    shape: tuple[int, ...] | None


def activation_in(output: Any) -> Tensor | None:
    """Return the activation in the output of a module; None if it is ambiguous."""
    first, others = (output[0], output[1:]) if isinstance(output, tuple) and output else (output, ())
    if not isinstance(first, Tensor) or first.ndim not in {_MAP, _TOKENS, _VECTOR}:
        return None
    rivals = [one for one in others if isinstance(one, list | tuple | dict) or getattr(one, "ndim", 0) == first.ndim]
    return None if rivals else first


def replace_activation(output: Any, activation: Tensor) -> Any:
    """Return the output of a module with another activation."""
    if not isinstance(output, tuple):
        return activation
    others = (activation, *output[1:])
    return type(output)(*others) if hasattr(output, "_fields") else others


@torch.no_grad()
def record_outputs(network: nn.Module, images: Tensor) -> tuple[Any, tuple[LayerOutput, ...]]:
    """Run a network once in evaluation mode; its mode is restored.

    Args:
        network: any module.
        images: (N, 3, H, W) float.

    Returns:
        Its output, and what its layers returned, in the order in which they finished.
    """
    found: list[LayerOutput] = []

    def record(path: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        value = activation_in(output)
        found.append(LayerOutput(path, None if value is None else tuple(value.shape)))

    modes = [(module, module.training) for module in network.modules()]
    hooks = [module.register_forward_hook(partial(record, path)) for path, module in network.named_modules() if path]
    try:
        output = network.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes:
            module.training = mode
    return output, tuple(found)


def find_narrowest(layers: Sequence[LayerOutput], count: int, excluded_shape: tuple[int, ...]) -> str | None:
    """Return the layer with the fewest positions, the last one of these; None if no layer fits.

    Layers that run twice, that reduce the image to one position (as squeeze-and-excitation does), or whose activation has the
    shape of the output are left out.

    Args:
        layers: what the layers returned, in the order of the forward pass.
        count: number of images of that pass.
        excluded_shape: shape of the output.
    """
    runs = [one.layer for one in layers]
    positions = {
        one.layer: _positions(one.shape)
        for one in layers
        if one.shape is not None and one.shape[0] == count and one.shape != excluded_shape and runs.count(one.layer) == 1
    }
    known = {layer: number for layer, number in positions.items() if number > 1}
    least = min(known.values(), default=0)
    return next((layer for layer in reversed(known) if known[layer] <= _MORE * least), None)


def _positions(shape: tuple[int, ...]) -> int:
    """Return the number of positions of an activation: pixels of a map, tokens, one for a vector."""
    return {_MAP: shape[2] * shape[-1], _TOKENS: shape[1]}.get(len(shape), 1)
