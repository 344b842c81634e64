"""Contract of a pose network, and of one whose forward pass can be paused at a bottleneck."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from pydantic import JsonValue
from torch import Tensor, nn

__all__ = ["PausedPass", "PoseNetwork", "Resumable"]


class PoseNetwork(nn.Module, ABC):
    """Contract of the components of `posescope.models`: `network(options, crop_size=(H, W), joint_count=K)`.

    A module that does not derive from it is adapted (`posescope.models.plain_modules`).

    A layer is a module of the network. Its address is its path in `named_modules()`, such as `hourglasses.0.bottleneck`, or a
    short name that the network defines for it.

    Attributes:
        map_size: (height, width) px of the heatmaps.
        short_names: module path by short name, in the order of the forward pass.
        bottleneck_layer: the layer that explainability reads by default; None: the user must choose one.
        skip_layers: the layers on the skip connections, stack by stack, finest level first.
        head_layers: the modules between the features and the heatmaps, which a training from another model can start anew; empty:
            those whose weights have one row per joint.
        pretrained_layers: the modules whose weights `load_initial_weights` loads. Those outside the head are loaded in a training
            from another model only if that model lacks some of their weights; empty: all modules.
        mean_rgb: mean RGB, 0..1, that is subtracted from the images because the initial weights expect it; None: that of the
            training crops.
    """

    map_size: tuple[int, int]
    short_names: Mapping[str, str] = MappingProxyType({})
    bottleneck_layer: str | None = None
    skip_layers: tuple[str, ...] = ()
    head_layers: tuple[str, ...] = ()
    pretrained_layers: tuple[str, ...] = ()
    mean_rgb: tuple[float, float, float] | None = None

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return heatmaps (N, K, h, w) of each stack, the prediction last, for images (N, 3, H, W) without their mean RGB."""

    def module_path(self, layer: str) -> str:
        """Return the module path of a layer that is given by its short name or by that path; the layer need not exist."""
        return self.short_names.get(layer, layer)

    def layer_paths(self) -> tuple[str, ...]:
        """Return the paths by which layers can be given, in addition to the short names."""
        return tuple(path for path, _ in self.named_modules() if path)

    def compiled_parts(self) -> Sequence[nn.Module]:
        """Return the modules that `modelling.training.compile` compiles separately; by default the whole network.

        Modules of one class with weights and inputs of the same shapes share one compilation.
        """
        return (self,)

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load pretrained weights at the start of a training; by default the network keeps its random weights.

        A loaded model folder contains all weights, so the constructor of a network reads none.

        Returns:
            The origin of the weights for the provenance of the model; None: they are random.
        """
        return None

    def stored_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that a model folder stores; the network is built from them without any file besides the folder.

        Args:
            options: the options that the network was built from, JSON-like.
        """
        return dict(options)


@dataclass(frozen=True)
class PausedPass:
    """Forward pass of N images, paused at the bottleneck of a stack.

    Attributes:
        stack: number of that stack, from 1.
        outputs: (N, K, h, w) heatmaps of each stack before it.
        stack_input: (N, C, h, w) input of that stack.
        skips: activations on its skip connections, finest level first; empty without skips.
        bottleneck: (N, C, h', w') activation that the rest of the network continues with.
    """

    stack: int
    outputs: tuple[Tensor, ...]
    stack_input: Tensor
    skips: tuple[Tensor, ...]
    bottleneck: Tensor


@runtime_checkable
class Resumable(Protocol):
    """Network whose forward pass can be paused at the bottleneck of a stack; optional for a `PoseNetwork`."""

    def pause(self, images: Tensor, stack: int | None = None) -> PausedPass:
        """Run the forward pass up to the bottleneck of a stack.

        Args:
            images: (N, 3, H, W) float, mean RGB subtracted.
            stack: number of the stack, from 1; None: the last, whose bottleneck is `bottleneck_layer`.
        """
        ...

    def resume(self, paused: PausedPass) -> list[Tensor]:
        """Return the outputs of `forward`, continued from a paused pass of this network.

        With a bottleneck of M images the rest of the paused pass may be of one image.
        """
        ...
