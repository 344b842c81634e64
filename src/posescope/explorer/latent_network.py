"""The network of the latent space: what runs before the changed layer is computed once per person and set of patches.

    person         its photograph before the layer, its own activations on the skip connections, its own features
    mean person    an image of the mean colour, mean activations on the skip connections, the mean of the features

A patch replaces the activation of one layer in addition. In the layer of the features it replaces the start, which is moved and
truncated afterwards. The features of a person are read with its patches, so patches before the layer change them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.components.pca import Components
from posescope.explainability.features.activation_patching import ActivationPatcher, constant_patches
from posescope.explainability.features.activations import mean_activations, mean_colour_image, read_activations
from posescope.explorer.latent_requests import PatchKind
from posescope.models.layers import Interventions, bottleneck_layers, find_layer

__all__ = ["DecodedPoint", "LatentNetwork", "LatentStart", "LayerPatch", "describe_decoding_obstacle"]

_BATCH_SIZE = 32


@dataclass(frozen=True)
class LayerPatch:
    """Replacement of the activation of one layer.

    Attributes:
        layer: short name or module path.
        kind: the mean over persons, zeros, or the activation of another person.
        row: row of that person; None for the other kinds.
    """

    layer: str
    kind: PatchKind
    row: int | None = None


@dataclass(frozen=True, eq=False)
class LatentStart:
    """A person, or the mean person, from which the features are changed.

    Attributes:
        patcher: runs the rest of the network.
        features: (D,) float64 features.
        row: row of the person whose features they are; None: of no person.
    """

    patcher: ActivationPatcher
    features: NDArray[np.float64]
    row: int | None


@dataclass(frozen=True, eq=False)
class DecodedPoint:
    """Heatmaps (K, h, w), joints (K, 2) in crop px and scores (K,) of one point; float32."""

    heatmaps: NDArray[np.float32]
    joints: NDArray[np.float32]
    scores: NDArray[np.float32]


class LatentNetwork:
    """Runs a model with a changed layer.

    Args:
        model: a model that no other thread runs, since activations are read and replaced by hooks on its network.
        crops: the persons.
        components: components of the features of one layer.
        mean_rows: (n,) persons over which activations are averaged.
    """

    def __init__(self, model: PoseModel, crops: CropSet, components: Components, mean_rows: NDArray[np.int64]) -> None:
        self.model = model
        self._crops, self._components, self._mean_rows = crops, components, mean_rows
        self._means: dict[str, Tensor] = {}

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Skip connections and bottlenecks of the network, in this order, without a layer that stands there twice."""
        network = self.model.network
        paths: dict[str, str] = {}
        for layer in (*network.skip_layers, *bottleneck_layers(network), self._components.layer):
            paths.setdefault(network.module_path(layer), layer)
        return tuple(paths.values())

    def start(self, row: int | None, patches: Sequence[LayerPatch]) -> LatentStart:
        """Prepare the passes of a person.

        Args:
            row: row of the person; None: the mean person.
            patches: layers whose activation is replaced; of two patches of a layer the last one counts.

        Raises:
            OptionsError: if a layer does not exist, or its activation cannot be replaced.
        """
        model, path_of, own_layer = self.model, self.model.network.module_path, self._components.layer
        image = self._image(row)
        values = {} if row is not None else self._mean_values(model.network.skip_layers)
        values |= {self._known_name(patch.layer, values): self._value(patch) for patch in patches}
        own = next((layer for layer in values if path_of(layer) == path_of(own_layer)), None)
        patched = None if own is None else values.pop(own)
        interventions = constant_patches(values)
        if patched is not None:
            features, source = (
                _flat(patched),
                next(one.row for one in reversed(patches) if path_of(one.layer) == path_of(own_layer)),
            )
        elif row is None:
            features, source = self._components.mean, None
        else:
            features, source = _flat(self._read(image, own_layer, interventions)), row
        return LatentStart(ActivationPatcher(model, own_layer, image, interventions), features, source)

    def decode(self, start: LatentStart, features: NDArray[np.float64]) -> DecodedPoint:
        """Run the rest of the network on (D,) features."""
        values = torch.from_numpy(features.astype(np.float32)).reshape(1, *self._components.shape)
        return self._decoded(start.patcher.heatmaps(values))

    def predict(self, row: int) -> DecodedPoint:
        """Return the prediction of the unchanged network for a person."""
        return self._decoded(self.model.heatmaps(self._image(row)))

    def _decoded(self, heatmaps: Tensor) -> DecodedPoint:
        found = self.model.codec.decode(heatmaps)
        arrays = (one[0].float().cpu().numpy() for one in (heatmaps, found.joints, found.scores))
        return DecodedPoint(*arrays)

    def _image(self, row: int | None) -> Tensor:
        if row is None:
            return mean_colour_image(self.model)
        return torch.from_numpy(self._crops.read_images(np.array([row], dtype=np.int64)))

    def _known_name(self, layer: str, values: Mapping[str, Tensor]) -> str:
        """Return the name under which the layer is already in `values`, or its own; the layer must exist."""
        network = self.model.network
        find_layer(network, layer)
        return next((known for known in values if network.module_path(known) == network.module_path(layer)), layer)

    def _value(self, patch: LayerPatch) -> Tensor:
        if patch.kind == "mean":
            return self._mean_values([patch.layer])[patch.layer]
        value = read_activations(self.model, self._image(patch.row), [patch.layer])[patch.layer]
        return torch.zeros_like(value) if patch.kind == "zero" else value

    def _mean_values(self, layers: Sequence[str]) -> dict[str, Tensor]:
        """Return mean activations. Those of all usual layers are measured in one go, when one of them is first needed."""
        unknown = set(layers) - set(self._means)
        if unknown:
            wanted = sorted(unknown | (set(self.layers) - set(self._means)))
            self._means |= mean_activations(self.model, self._crops, self._mean_rows, wanted, _BATCH_SIZE)
        return {layer: self._means[layer] for layer in layers}

    def _read(self, image: Tensor, layer: str, interventions: Interventions) -> Tensor:
        """Return the activation of a layer in a pass with interventions in other layers."""
        found: list[Tensor] = []

        def keep(activation: Tensor) -> Tensor:
            found.append(activation.detach().clone())
            return activation

        self.model.heatmaps(image, {**interventions, layer: keep})
        return found[0]


def describe_decoding_obstacle(model: PoseModel, components: Components) -> str:
    """Return one line on why features cannot be decoded by the rest of the network; empty if they can.

    Args:
        model: the network.
        components: components of the features of one layer.
    """
    layer = components.layer
    found = tuple(read_activations(model, mean_colour_image(model), [layer])[layer].shape[1:])
    if found == components.shape:
        return ""
    return (
        f"The features of this run cannot be decoded: they are pooled over space ({_shape(components.shape)} per person, layer "
        f"'{layer}' has {_shape(found)}). Set explainability.persons.pooling to none, and run explainability and reporting again."
    )


def _flat(value: Tensor) -> NDArray[np.float64]:
    return value.detach().float().cpu().numpy().astype(np.float64).ravel()


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
