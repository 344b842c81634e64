"""Continue a forward pass from one layer, for a network that has no means of its own to do so (`Resumable`).

A module that finishes before a layer starts does not depend on the layer's activation. Its output is recorded once and returned
in later passes instead of computing it; everything else runs as usual. Any subset of such modules may be replayed, so modules
that run twice or return something other than tensors of one row per image are computed again.

A check compares a replayed pass with a whole one on a few images. If they differ, for example because a module keeps state for
another one, nothing is replayed.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from posescope.models.base import PoseNetwork
from posescope.models.layer_outputs import activation_in
from posescope.models.layers import Interventions, find_layer, intervene

__all__ = ["ModuleReplay", "prepare_replay"]

_log = logging.getLogger(__name__)

_PROBES = (2, 3)  # images of the check: another number than that of the images
_TOLERANCE = 1e-3  # of the largest heatmap px


@dataclass(frozen=True, eq=False)
class ModuleReplay:
    """Recorded outputs of the modules before a layer.

    Attributes:
        network: the network, in evaluation mode.
        layer: path or short name of the layer; its output is one tensor.
        images: (n, 3, H, W) normalised input of the recorded pass.
        outputs: recorded output by module path.
        shape: of the layer's activation, without the first dimension.
        interventions: functions of activations of other layers.
    """

    network: PoseNetwork
    layer: str
    images: Tensor
    outputs: Mapping[str, Any]
    shape: tuple[int, ...]
    interventions: Interventions

    @torch.no_grad()
    def heatmaps(self, values: Tensor) -> Tensor:
        """Return the heatmaps with the layer's activation replaced.

        Args:
            values: (m, *shape); m = n, or n = 1.

        Returns:
            (m, K, h, w) float32.
        """
        values = values.to(self.images)
        with ExitStack() as stack:
            for path, output in self.outputs.items():
                stack.enter_context(_returning(self.network.get_submodule(path), partial(_repeat, output, len(values))))
            stack.enter_context(_returning(find_layer(self.network, self.layer), values.clone))
            stack.enter_context(intervene(self.network, self.interventions, whole_pass=False))
            maps: Tensor = self.network(self.images.expand(len(values), *self.images.shape[1:]))[-1].float()
        return maps


def prepare_replay(network: PoseNetwork, layer: str, images: Tensor, interventions: Interventions) -> ModuleReplay | None:
    """Record the modules before a layer.

    Args:
        network: the network.
        layer: short name or path.
        images: (n, 3, H, W) normalised.
        interventions: functions of activations of other layers.

    Returns:
        The recorded pass; None if nothing can be replayed.
    """
    network.eval()
    count = next(number for number in _PROBES if number != len(images))
    probe = _record(network, layer, images[:1].expand(count, *images.shape[1:]), interventions, _modules_before(network, layer))
    if probe is None or not _agrees(probe):
        _log.debug("The passes behind '%s' run the whole network.", layer)
        return None
    return _record(network, layer, images, interventions, frozenset(probe.outputs))


def _modules_before(network: PoseNetwork, layer: str) -> frozenset[str]:
    """Return the paths of the modules that do not contain the layer and are not contained in it."""
    path = network.module_path(layer)
    return frozenset(
        name
        for name, module in network.named_modules()
        if name
        and not isinstance(module, torch.jit.ScriptModule)
        and not f"{path}.".startswith(f"{name}.")
        and not name.startswith(f"{path}.")
    )


@torch.no_grad()
def _record(
    network: PoseNetwork, layer: str, images: Tensor, interventions: Interventions, modules: frozenset[str]
) -> ModuleReplay | None:
    """Run the network once and keep the output of those modules that finish before the layer and are in no other such module."""
    outputs: dict[str, Any] = {}
    runs: dict[str, int] = {}
    shapes: list[tuple[int, ...]] = []

    def keep(path: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        runs[path] = runs.get(path, 0) + 1
        if not shapes and _is_replayable(output, len(images)):
            outputs[path] = _copy(output)
            for inner in [name for name in outputs if name.startswith(f"{path}.")]:
                del outputs[inner]

    def read(_module: nn.Module, _inputs: Any, output: Any) -> None:
        activation = activation_in(output)
        shapes.append(() if activation is None or isinstance(output, tuple) else tuple(activation.shape[1:]))

    with ExitStack() as stack:  # these hooks are the first, so that they see the outputs before the interventions
        for path in sorted(modules):
            stack.enter_context(network.get_submodule(path).register_forward_hook(partial(keep, path)))
        stack.enter_context(find_layer(network, layer).register_forward_hook(read))
        stack.enter_context(intervene(network, interventions))
        network(images)
    once = {path: output for path, output in outputs.items() if runs[path] == 1}
    if not once or len(shapes) != 1 or not shapes[0]:
        return None
    return ModuleReplay(network, layer, images, once, shapes[0], interventions)


@torch.no_grad()
def _agrees(probe: ModuleReplay) -> bool:
    """Return whether a replayed pass equals a whole one where the layer's activation is replaced by zeros."""
    zeros = torch.zeros((len(probe.images), *probe.shape)).to(probe.images)
    probe.network(torch.zeros_like(probe.images))  # a module that keeps state keeps that of other images now
    try:
        replayed = probe.heatmaps(zeros)
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError):  # a module expects more than an output
        return False
    with intervene(probe.network, {**probe.interventions, probe.layer: torch.zeros_like}):
        whole: Tensor = probe.network(probe.images)[-1].float()
    return float((replayed - whole).abs().max()) <= _TOLERANCE * max(float(whole.abs().max()), torch.finfo().tiny)


@contextmanager
def _returning(module: nn.Module, output: Callable[[], Any]) -> Iterator[None]:
    """Let a module return what a function returns, in place of its forward pass."""
    own = vars(module).get("forward")
    module.forward = lambda *_args, **_kwargs: output()
    try:
        yield
    finally:
        del module.forward
        if own is not None:
            module.forward = own


def _is_replayable(output: Any, count: int) -> bool:
    if isinstance(output, Tensor):
        return output.ndim > 0 and len(output) == count
    if type(output) in {list, tuple}:
        return all(_is_replayable(value, count) for value in output)
    return type(output) is dict and all(_is_replayable(value, count) for value in output.values())


def _copy(output: Any) -> Any:
    return _map_tensors(output, lambda value: value.detach().clone())


def _repeat(output: Any, count: int) -> Any:
    # A copy, since a network may change its activations in place.
    return _map_tensors(output, lambda value: value.expand(count, *value.shape[1:]).clone())


def _map_tensors(output: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(output, Tensor):
        return change(output)
    if isinstance(output, dict):
        return {name: _map_tensors(value, change) for name, value in output.items()}
    return type(output)(_map_tensors(value, change) for value in output)
