"""Run the modules before some layers once, for a network that has no means of its own to continue from there (`Resumable`).

A module that finishes before a layer starts does not depend on the layer's activation. Its output is recorded once and returned
in later passes instead of computing it; everything else runs as usual. Any subset of such modules may be replayed, so modules
that run twice or return something other than tensors of one row per image are computed again.

    prepare_replay          one layer, whose own forward pass is replaced as well: many values of it for the same images
    find_shared_modules     several layers, any subset of which is changed: passes of the same images (`record_pass`)

A check compares a replayed pass with a whole one on a few images. If they differ, for example because a module keeps state for
another one, nothing is replayed.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from posescope.models.base import PoseNetwork
from posescope.models.layer_outputs import activation_in
from posescope.models.layers import Interventions, find_layer, intervene

__all__ = ["ModuleReplay", "RecordedPass", "find_shared_modules", "prepare_replay", "record_pass"]

_log = logging.getLogger(__name__)

_PROBES = (2, 3)  # images of the check: another number than that of the images
_TOLERANCE = 1e-3  # of the largest heatmap px


@dataclass(frozen=True, eq=False)
class RecordedPass:
    """A forward pass, and the outputs of some of its modules that later passes of the same images do not compute again.

    Attributes:
        network: the network, in evaluation mode.
        images: (n, 3, H, W) normalised input.
        outputs: recorded output by module path.
        maps: (n, K, h, w) float32 heatmaps of the pass.
    """

    network: PoseNetwork
    images: Tensor
    outputs: Mapping[str, Any]
    maps: Tensor

    @torch.no_grad()
    def heatmaps(self, interventions: Interventions, count: int | None = None) -> Tensor:
        """Return the heatmaps with interventions in layers behind the recorded modules.

        Args:
            interventions: functions of activations by layer.
            count: number m of rows that every recorded output and the images are repeated to, if n = 1; None: n.

        Returns:
            (m, K, h, w) float32.
        """
        rows = len(self.images) if count is None else count
        with ExitStack() as stack:
            for path, output in self.outputs.items():
                stack.enter_context(_returning(self.network.get_submodule(path), partial(_repeat, output, rows)))
            stack.enter_context(intervene(self.network, interventions, whole_pass=False))
            maps: Tensor = self.network(self.images.expand(rows, *self.images.shape[1:]))[-1].float()
        return maps


@dataclass(frozen=True, eq=False)
class ModuleReplay:
    """A recorded pass that continues from other values of one layer.

    Attributes:
        recorded: the pass, with the outputs of the modules before the layer.
        layer: path or short name of the layer; its output is one tensor.
        shape: of the layer's activation, without the first dimension.
        interventions: functions of activations of other layers.
    """

    recorded: RecordedPass
    layer: str
    shape: tuple[int, ...]
    interventions: Interventions

    def heatmaps(self, values: Tensor) -> Tensor:
        """Return the heatmaps with the layer's activation replaced.

        Args:
            values: (m, *shape); m = n, or n = 1.

        Returns:
            (m, K, h, w) float32.
        """
        values = values.to(self.recorded.images)
        with _returning(find_layer(self.recorded.network, self.layer), values.clone):
            return self.recorded.heatmaps(self.interventions, len(values))


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
    candidates = _modules_beside(network, [layer])
    probe = _record_before(network, layer, _probe_images(images), interventions, candidates)
    if probe is None or not _continues_equally(probe):
        _log.debug("The passes behind '%s' run the whole network.", layer)
        return None
    return _record_before(network, layer, images, interventions, frozenset(probe.recorded.outputs))


def find_shared_modules(network: PoseNetwork, layers: Sequence[str], images: Tensor) -> frozenset[str]:
    """Find the modules whose outputs do not depend on any of some layers.

    Args:
        network: the network; it is put in evaluation mode.
        layers: short names or paths; each runs once in a forward pass.
        images: (n, 3, H, W) normalised, n >= 1; the first is used for the check.

    Returns:
        Paths of the modules, for `record_pass`; empty if none can be replayed.
    """
    network.eval()
    probe, _ = _record(network, layers, _probe_images(images), {}, _modules_beside(network, layers))
    if not _repeats_equally(probe):
        _log.debug("The passes with changes in %s run the whole network.", ", ".join(layers))
        return frozenset()
    return frozenset(probe.outputs)


def record_pass(network: PoseNetwork, layers: Sequence[str], images: Tensor, modules: frozenset[str]) -> RecordedPass:
    """Run the network once and record modules that later passes of the same images do not compute again.

    Args:
        network: the network; it is put in evaluation mode.
        layers: the layers that later passes change.
        images: (n, 3, H, W) normalised.
        modules: result of `find_shared_modules` for these layers; empty: later passes run the whole network.
    """
    network.eval()
    return _record(network, layers, images, {}, modules)[0]


def _probe_images(images: Tensor) -> Tensor:
    """Repeat the first image, to another number than that of the images: an output of a later pass has a row per image."""
    count = next(number for number in _PROBES if number != len(images))
    return images[:1].expand(count, *images.shape[1:])


def _modules_beside(network: PoseNetwork, layers: Sequence[str]) -> frozenset[str]:
    """Return the paths of the modules that do not contain any of the layers and are not contained in one."""
    paths = [network.module_path(layer) for layer in layers]
    return frozenset(
        name
        for name, module in network.named_modules()
        if name
        and not isinstance(module, torch.jit.ScriptModule)
        and not any(f"{path}.".startswith(f"{name}.") or name.startswith(f"{path}.") for path in paths)
    )


def _record_before(
    network: PoseNetwork, layer: str, images: Tensor, interventions: Interventions, modules: frozenset[str]
) -> ModuleReplay | None:
    recorded, shapes = _record(network, [layer], images, interventions, modules)
    if not recorded.outputs or len(shapes) != 1 or not shapes[0]:
        return None
    return ModuleReplay(recorded, layer, shapes[0], interventions)


@torch.no_grad()
def _record(
    network: PoseNetwork, layers: Sequence[str], images: Tensor, interventions: Interventions, modules: frozenset[str]
) -> tuple[RecordedPass, list[tuple[int, ...]]]:
    """Run the network once and keep the output of those modules that finish before all layers and are in no other such module.

    Returns:
        The pass, and the shape of each activation of the layers in the order in which they ran, without the first dimension; ()
        for an output that is not one tensor.
    """
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
        for layer in layers:
            stack.enter_context(find_layer(network, layer).register_forward_hook(read))
        stack.enter_context(intervene(network, interventions))
        maps: Tensor = network(images)[-1].float()
    once = {path: output for path, output in outputs.items() if runs[path] == 1}
    return RecordedPass(network, images, once, maps), shapes


def _continues_equally(probe: ModuleReplay) -> bool:
    """Return whether a replayed pass equals a whole one where the layer's activation is replaced by zeros."""
    recorded, changes = probe.recorded, {**probe.interventions, probe.layer: torch.zeros_like}
    zeros = torch.zeros((len(recorded.images), *probe.shape)).to(recorded.images)
    with torch.no_grad(), intervene(recorded.network, changes):
        whole: Tensor = recorded.network(recorded.images)[-1].float()
    return _equals(recorded, lambda: probe.heatmaps(zeros), whole)


def _repeats_equally(probe: RecordedPass) -> bool:
    """Return whether a replayed pass without changes equals the recorded one: then it lacks nothing that changes could need."""
    return bool(probe.outputs) and _equals(probe, lambda: probe.heatmaps({}), probe.maps)


@torch.no_grad()
def _equals(probe: RecordedPass, replay: Callable[[], Tensor], whole: Tensor) -> bool:
    """Return whether a replay equals a whole pass after a pass of other images."""
    probe.network(torch.zeros_like(probe.images))  # a module that keeps state keeps that of other images now
    try:
        replayed = replay()
    except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError):  # a module expects more than an output
        return False
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
