"""Layers of a network: find them by short name or module path, and change their activations during a forward pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.models.base import PoseNetwork
from posescope.models.layer_outputs import activation_in, replace_activation

__all__ = ["Interventions", "bottleneck_layers", "find_layer", "intervene"]

# Layer -> function that receives its activation (N, C, h, w), (N, L, C) or (N, C) and returns the one, of the same shape, that
# the pass continues with. A function that returns its argument reads the layer.
Interventions = Mapping[str, Callable[[Tensor], Tensor]]


def find_layer(network: PoseNetwork, layer: str) -> nn.Module:
    """Return the module of a layer.

    Args:
        network: the network.
        layer: short name, or path in `network.named_modules()`.

    Raises:
        OptionsError: The network has no such layer.
    """
    try:
        return network.get_submodule(network.module_path(layer))
    except AttributeError as error:
        known = [*network.short_names, *network.layer_paths()]
        closest = "".join(f" Did you mean '{name}'?" for name in get_close_matches(layer, known, n=1))
        raise OptionsError(
            f"The network has no layer '{layer}'.{closest} Its short names are: {', '.join(network.short_names) or 'none'}. "
            "Every path of its named_modules() is a layer as well."
        ) from error


def bottleneck_layers(network: PoseNetwork) -> tuple[str, ...]:
    """List the bottlenecks of all stacks, first stack first: the short names that end like the bottleneck's."""
    if network.bottleneck_layer is None:
        return ()
    name = network.bottleneck_layer.rpartition(".")[2]
    return tuple(layer for layer in network.short_names if layer.rpartition(".")[2] == name) or (network.bottleneck_layer,)


@contextmanager
def intervene(network: PoseNetwork, interventions: Interventions | None, *, whole_pass: bool = True) -> Iterator[None]:
    """Apply interventions to one forward pass within the block.

    Args:
        network: the network; it has no more hooks after the block than before it.
        interventions: functions of activations by layer; None: no interventions.
        whole_pass: whether the block runs the whole network. In a part of it, interventions in layers of the other part have no
            effect.

    Raises:
        OptionsError: The network has no such layer; the output of a layer has no unambiguous activation (`layer_outputs`); or a
            layer runs more than once, or never in a whole pass.
    """
    ran: set[str] = set()
    with ExitStack() as hooks:
        for layer, intervention in (interventions or {}).items():
            hooks.enter_context(find_layer(network, layer).register_forward_hook(_make_hook(network, layer, intervention, ran)))
        yield
    idle = sorted(set(interventions or ()) - ran)
    if idle and whole_pass:
        raise OptionsError(f"Expected layers that run in the forward pass, found modules that do not: {', '.join(idle)}.")


def _make_hook(
    network: PoseNetwork, layer: str, intervention: Callable[[Tensor], Tensor], ran: set[str]
) -> Callable[[nn.Module, Any, Any], Any]:
    def hook(module: nn.Module, _inputs: Any, output: Any) -> Any:
        activation = activation_in(output)
        if activation is None:
            found = tuple(output.shape) if isinstance(output, Tensor) else f"an object {type(output).__name__}"
            raise OptionsError(
                f"Layer '{layer}': expected as output one tensor (N, C, h, w), (N, L, C) or (N, C), or a tuple that begins with "
                f"it, found {found}. Choose another layer{_example(network, layer, module)}."
            )
        if layer in ran:
            raise OptionsError(
                f"Layer '{layer}': expected a module that runs once in a forward pass; it runs again, so that its activation is "
                f"ambiguous. Choose a layer before or after it{_example(network, layer, module)}."
            )
        ran.add(layer)
        return replace_activation(output, intervention(activation))

    return hook


def _example(network: PoseNetwork, layer: str, module: nn.Module) -> str:
    """Return words for a layer to choose: the bottleneck, or the first module inside this layer."""
    if network.bottleneck_layer not in (None, layer):
        return f", such as '{network.bottleneck_layer}'"
    inside = next((name for name, _ in module.named_children()), None)
    return f", such as '{network.short_names.get(layer, layer)}.{inside}'" if inside else ""
