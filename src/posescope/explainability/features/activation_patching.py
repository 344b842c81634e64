"""Putting other values at a tap of a forward pass, many times: what comes before the tap is computed once."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.explainability.features.activations import hold, neutral_image, read_taps
from posescope.explainability.features.feature_store import FeatureSet
from posescope.models.base import Edits, Resumable

__all__ = ["PutBack", "why_not_put_back"]

_NO_EDITS: Edits = MappingProxyType({})


class PutBack:
    """A batch's pass, taken up again from a tap with other values there.

    A network that can be paused at its bottleneck is, for taps from there on; another one passes whole each time.

    Args:
        model: the network.
        tap: where values are put.
        images: (n, H, W, 3) uint8 that the places before the tap see; one image serves any number of values.
        edits: for other taps, such as the skips.
    """

    def __init__(self, model: PoseModel, tap: str, images: Tensor, edits: Edits = _NO_EDITS) -> None:
        names, network = model.network.tap_names, model.network
        self._model, self._tap, self._images, self._edits = model, tap, images, edits
        self._paused = None
        if isinstance(network, Resumable) and names.index(tap) >= names.index(network.bottleneck_tap):
            behind = set(names[names.index(network.bottleneck_tap) + 1 :])
            self._paused = model.pause(images, _only(edits, behind, inside=False))
            self._edits = _only(edits, behind, inside=True)

    def heatmaps(self, values: Tensor | None = None) -> Tensor:
        """Heatmaps (m, K, h, w) with values (m, C, h', w') at the tap; none: what the pass itself brings there, m = n."""
        if values is None:
            return self._whole(self._images, {}) if self._paused is None else self._model.resume(self._paused, self._edits)
        if self._paused is None:
            images = self._images.expand(len(values), *self._images.shape[1:])
            return self._whole(images, {self._tap: hold(values)})
        own = self._paused.bottleneck
        if self._tap == self._model.network.bottleneck_tap:
            # The memory layout of what was there: the rest of the network is faster in it.
            layout = torch.channels_last if own.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
            paused = replace(self._paused, bottleneck=values.to(own).contiguous(memory_format=layout))
            return self._model.resume(paused, self._edits)
        paused = replace(self._paused, bottleneck=own.expand(len(values), *own.shape[1:]))
        return self._model.resume(paused, {**self._edits, self._tap: hold(values)})

    def _whole(self, images: Tensor, changes: Edits) -> Tensor:
        return self._model.heatmaps(images, {**self._edits, **changes})


def why_not_put_back(model: PoseModel, features: FeatureSet) -> str:
    """Why the features cannot be put back into the network; empty if they can."""
    found = tuple(read_taps(model, neutral_image(model), [features.tap])[features.tap].shape[1:])
    if found == features.shape:
        return ""
    return (
        f"The features were pooled: {features.shape} a person, where '{features.tap}' carries {found}. A pooled feature does not "
        "say what stood where, so it cannot be put back into the network: this analysis needs features that are not pooled."
    )


def _only(edits: Edits, names: set[str], *, inside: bool) -> Edits:
    chosen: Mapping[str, object] = {name: edit for name, edit in edits.items() if (name in names) is inside}
    return chosen  # type: ignore[return-value]
