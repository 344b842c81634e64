"""Activation patching: replace the activation of a layer and run the rest of the network.

See Meng et al. (2022), "Locating and Editing Factual Associations in GPT", section 2 (causal tracing).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel, normalise_images
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activations import mean_colour_image, read_activations
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.module_replay import ModuleReplay, prepare_replay
from posescope.models.base import Resumable
from posescope.models.layers import Interventions, find_layer

__all__ = ["ActivationPatcher", "constant_patch", "constant_patches", "describe_patching_obstacle", "zero_patch"]

_NO_INTERVENTIONS: Interventions = MappingProxyType({})


def constant_patch(value: Tensor) -> Callable[[Tensor], Tensor]:
    """Return an intervention that replaces an activation by a constant.

    Args:
        value: (1, C, h, w) for all persons of a batch, or (n, C, h, w) for one value per person; likewise of tokens and
            vectors.

    Raises:
        ExplainabilityError: in the forward pass, if the activation has another shape.
    """

    def patch(activation: Tensor) -> Tensor:
        if value.shape[1:] != activation.shape[1:]:
            raise ExplainabilityError(
                f"Activation patching: expected a value of shape {tuple(activation.shape[1:])}, found {tuple(value.shape[1:])}. "
                "Features that are pooled over space cannot be patched (explainability.persons.pooling)."
            )
        # A copy, since a network may change its activations in place.
        return value.to(activation).expand_as(activation).clone()

    return patch


def constant_patches(values: Mapping[str, Tensor]) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return an intervention per layer that replaces its activation by the given value (`constant_patch`)."""
    return {layer: constant_patch(value) for layer, value in values.items()}


def zero_patch(activation: Tensor) -> Tensor:
    """Intervention that replaces an activation by zeros (zero ablation)."""
    return torch.zeros_like(activation)


class ActivationPatcher:
    """Decodes many values of one layer for the same images.

    The modules before the layer are computed once: by `Resumable` if the network can be paused at its bottleneck and the layer is
    the bottleneck or comes after it, else by `module_replay`. Where neither works, every call is a whole forward pass.

    Args:
        model: the network.
        layer: the patched layer, by short name or module path.
        images: (n, H, W, 3) uint8, the input of the layers before it. One image serves any number of values.
        interventions: functions of activations of other layers, such as the skip connections.
    """

    def __init__(self, model: PoseModel, layer: str, images: Tensor, interventions: Interventions = _NO_INTERVENTIONS) -> None:
        self._model, self._layer, self._images, self._interventions = model, layer, images, interventions
        network, bottleneck = model.network, model.network.bottleneck_layer
        self._is_bottleneck = bottleneck is not None and network.module_path(layer) == network.module_path(bottleneck)
        self._paused = None
        if isinstance(network, Resumable):
            runs_before: list[str] = []
            with find_layer(network, layer).register_forward_hook(lambda *_: runs_before.append(layer)):
                paused = model.pause(images, interventions)
            if self._is_bottleneck or not runs_before:
                self._paused = paused
        self._replay: ModuleReplay | None = None
        self._is_recorded = False

    def heatmaps(self, values: Tensor | None = None) -> Tensor:
        """Compute heatmaps with the layer's activation replaced.

        Args:
            values: (m, C, h', w'), or as the layer's activation; None: the activations of the images themselves, m = n.

        Returns:
            (m, K, h, w).
        """
        if values is None:
            if self._paused is None:
                return self._run_whole(self._images, {})
            return self._model.resume(self._paused, self._interventions)
        if self._paused is None:
            return self._run_from_layer(values)
        own = self._paused.bottleneck
        if self._is_bottleneck:
            # The memory layout of the original activation, in which the rest of the network is faster.
            layout = torch.channels_last if own.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
            paused = replace(self._paused, bottleneck=values.to(own).contiguous(memory_format=layout))
            return self._model.resume(paused, self._interventions)
        paused = replace(self._paused, bottleneck=own.expand(len(values), *own.shape[1:]))
        return self._model.resume(paused, {**self._interventions, self._layer: constant_patch(values)})

    def _run_from_layer(self, values: Tensor) -> Tensor:
        if not self._is_recorded:
            images = normalise_images(self._images.to(self._model.device), self._model.mean_rgb)
            self._replay = prepare_replay(self._model.network, self._layer, images, self._interventions)
            self._is_recorded = True
        if self._replay is not None and tuple(values.shape[1:]) == self._replay.shape:
            return self._replay.heatmaps(values)
        images = self._images.expand(len(values), *self._images.shape[1:])
        return self._run_whole(images, {self._layer: constant_patch(values)})

    def _run_whole(self, images: Tensor, patches: Interventions) -> Tensor:
        return self._model.heatmaps(images, {**self._interventions, **patches})


def describe_patching_obstacle(model: PoseModel, features: FeatureSet) -> str:
    """Explain why features cannot replace the activation of their layer.

    Args:
        model: the network.
        features: features of one of its layers.

    Returns:
        A sentence; empty if they can.
    """
    found = tuple(read_activations(model, mean_colour_image(model), [features.layer])[features.layer].shape[1:])
    if found == features.shape:
        return ""
    return (
        f"This analysis was skipped: it decodes features, and these are pooled over space (shape {features.shape} per person; "
        f"layer '{features.layer}' has {found}). Set explainability.persons.pooling to none."
    )
