"""Putting other values at a tap of a forward pass, many times: what comes before the tap is computed once."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.explainability.features.activations import constant_patch, mean_colour_image, read_activations
from posescope.explainability.features.feature_store import FeatureSet
from posescope.models.base import Interventions, Resumable

__all__ = ["ActivationPatcher", "describe_patching_obstacle"]

_NO_EDITS: Interventions = MappingProxyType({})


class ActivationPatcher:
    """A batch's pass, taken up again from a tap with other values there.

    A network that can be paused at its bottleneck is, for taps from there on; another one passes whole each time.

    Args:
        model: the network.
        layer: where values are put.
        images: (n, H, W, 3) uint8 that the places before the tap see; one image serves any number of values.
        interventions: for other taps, such as the skips.
    """

    def __init__(self, model: PoseModel, layer: str, images: Tensor, interventions: Interventions = _NO_EDITS) -> None:
        names, network = model.network.layer_names, model.network
        self._model, self._tap, self._images, self._edits = model, layer, images, interventions
        self._paused = None
        if isinstance(network, Resumable) and names.index(layer) >= names.index(network.bottleneck_layer):
            behind = set(names[names.index(network.bottleneck_layer) + 1 :])
            self._paused = model.pause(images, _only(interventions, behind, inside=False))
            self._edits = _only(interventions, behind, inside=True)

    def heatmaps(self, values: Tensor | None = None) -> Tensor:
        """Heatmaps (m, K, h, w) with values (m, C, h', w') at the tap; none: what the pass itself brings there, m = n."""
        if values is None:
            return self._whole(self._images, {}) if self._paused is None else self._model.resume(self._paused, self._edits)
        if self._paused is None:
            images = self._images.expand(len(values), *self._images.shape[1:])
            return self._whole(images, {self._tap: constant_patch(values)})
        own = self._paused.bottleneck
        if self._tap == self._model.network.bottleneck_layer:
            # The memory layout of what was there: the rest of the network is faster in it.
            layout = torch.channels_last if own.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
            paused = replace(self._paused, bottleneck=values.to(own).contiguous(memory_format=layout))
            return self._model.resume(paused, self._edits)
        paused = replace(self._paused, bottleneck=own.expand(len(values), *own.shape[1:]))
        return self._model.resume(paused, {**self._edits, self._tap: constant_patch(values)})

    def _whole(self, images: Tensor, changes: Interventions) -> Tensor:
        return self._model.heatmaps(images, {**self._edits, **changes})


def describe_patching_obstacle(model: PoseModel, features: FeatureSet) -> str:
    """Why the features cannot be put back into the network; empty if they can."""
    found = tuple(read_activations(model, mean_colour_image(model), [features.layer])[features.layer].shape[1:])
    if found == features.shape:
        return ""
    return (
        f"The features were pooled: {features.shape} a person, where '{features.layer}' carries {found}. A pooled feature does not "
        "say what stood where, so it cannot be put back into the network: this analysis needs features that are not pooled."
    )


def _only(interventions: Interventions, names: set[str], *, inside: bool) -> Interventions:
    chosen: Mapping[str, object] = {name: edit for name, edit in interventions.items() if (name in names) is inside}
    return chosen  # type: ignore[return-value]
