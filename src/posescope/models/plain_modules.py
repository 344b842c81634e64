"""Networks that derive from no class of posescope: any torch module whose output contains heatmaps.

    forward returns    the heatmaps
    a tensor           (N, K, h, w)
    a list or tuple    its tensors (N, K, h, w) in their order, the prediction last
    a dictionary       its value `heatmaps` or `out`, or the only value that contains heatmaps

One pass over empty images shows the size of the heatmaps and the layer that explainability reads by default.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.models.base import PoseNetwork
from posescope.models.layer_outputs import find_narrowest, record_outputs

__all__ = ["PlainModule", "build_network", "pick_heatmaps"]

_PREDICTION = ("heatmaps", "out")
_IMAGES = 2  # more than one, so that the first dimension of an activation can be recognised


class PlainModule(PoseNetwork):
    """Adapter of a torch module to the contract of a `PoseNetwork`.

    Its layers have the module's own paths. The bottleneck is the layer with the fewest positions, the last one of these.

    Args:
        network: the module; (N, 3, H, W) -> heatmaps of K joints, see above. It is left in the mode it is in.
        crop_size: (height, width) of the images, px.
        joint_count: K.
        name: of the component, for messages.

    Raises:
        OptionsError: The output contains no heatmaps of K joints.
    """

    def __init__(self, network: nn.Module, crop_size: tuple[int, int], joint_count: int, name: str = "") -> None:
        super().__init__()
        self.network = network
        self._joint_count, self._name = joint_count, name or type(network).__name__
        weight = next(network.parameters(), torch.empty(0))
        images = torch.zeros((_IMAGES, 3, *crop_size), dtype=weight.dtype, device=weight.device)
        output, layers = record_outputs(network, images)
        heatmaps = pick_heatmaps(output, joint_count, self._name)[-1]
        self.map_size = (heatmaps.shape[2], heatmaps.shape[3])
        self.bottleneck_layer = find_narrowest(layers, _IMAGES, excluded_shape=tuple(heatmaps.shape))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the heatmaps in the output of the module; see `PoseNetwork.forward`."""
        return pick_heatmaps(self.network(images), self._joint_count, self._name)

    def module_path(self, layer: str) -> str:
        """Return the module path of a layer that is given by its path in the module."""
        return f"network.{layer}"

    def layer_paths(self) -> tuple[str, ...]:
        """Return the paths in the module."""
        return tuple(path for path, _ in self.network.named_modules() if path)


def build_network(spec: ComponentSpec, crop_size: tuple[int, int], joint_count: int) -> PoseNetwork:
    """Build a component of `posescope.models`; a module that is no `PoseNetwork` is adapted.

    Args:
        spec: name and options.
        crop_size: (height, width) of the images, px.
        joint_count: K.

    Raises:
        OptionsError: The component or an option is invalid, or what it builds is no network of K joints.
    """
    network = build("models", spec, crop_size=crop_size, joint_count=joint_count)
    if isinstance(network, PoseNetwork):
        return network
    if not isinstance(network, nn.Module):
        raise OptionsError(f"posescope.models: expected '{spec.name}' to build a torch module, found {type(network).__name__}.")
    return PlainModule(network, crop_size, joint_count, spec.name)


def pick_heatmaps(output: Any, joint_count: int, name: str) -> list[Tensor]:
    """Return the heatmaps in the output of a module, the prediction last.

    Args:
        output: tensor, or list, tuple or mapping of tensors.
        joint_count: K.
        name: of the network, for the message.

    Returns:
        One or more tensors (N, K, h, w) of equal size.

    Raises:
        OptionsError: It contains none, several that are equally likely, or several of different sizes.
    """
    found = _heatmaps_in(output, joint_count)
    if not found or len({tuple(one.shape[2:]) for one in found}) > 1:
        raise OptionsError(
            f"Network '{name}': expected heatmaps (N, {joint_count}, h, w) as its output, in a tensor, in a list with the "
            f"prediction last, or in a dictionary under 'heatmaps' or 'out', found {_describe(output)}."
        )
    return found


def _heatmaps_in(output: Any, joint_count: int) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output] if output.ndim == 4 and output.shape[1] == joint_count else []
    if isinstance(output, Mapping):
        named = next((output[key] for key in _PREDICTION if key in output), None)
        if named is not None:
            return _heatmaps_in(named, joint_count)
        fitting = [found for value in output.values() if (found := _heatmaps_in(value, joint_count))]
        return fitting[0] if len(fitting) == 1 else []
    if isinstance(output, list | tuple):
        return [heatmaps for value in output for heatmaps in _heatmaps_in(value, joint_count)]
    return []


def _describe(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor {tuple(output.shape)}"
    if isinstance(output, Mapping):
        return f"a dictionary of {', '.join(f'{key}: {_describe(value)}' for key, value in output.items()) or 'nothing'}"
    if isinstance(output, list | tuple):
        return f"a {type(output).__name__} of {', '.join(map(_describe, output)) or 'nothing'}"
    return f"an object {type(output).__name__}"
