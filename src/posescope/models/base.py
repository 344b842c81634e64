"""Contract of a pose network, with named layers whose activations can be read and replaced during a forward pass."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

__all__ = ["Interventions", "PausedPass", "PoseNetwork", "Resumable"]

# Layer name -> function that receives the activation and returns the one that the pass continues with. A function that returns
# its argument reads the layer.
Interventions = Mapping[str, Callable[[Tensor], Tensor]]


class PoseNetwork(nn.Module, ABC):
    """Contract of the components of `posescope.models`: `network(options, crop_size=(H, W), joint_count=K)`.

    Attributes:
        map_size: (height, width) px of the heatmaps.
        layer_names: all named layers in the order of the forward pass, for example `stack1.bottleneck`.
        bottleneck_layer: the layer that explainability reads by default.
        skip_layers: the layers on the skip connections, stack by stack, finest level first.
    """

    map_size: tuple[int, int]
    layer_names: tuple[str, ...]
    bottleneck_layer: str
    skip_layers: tuple[str, ...]

    @abstractmethod
    def forward(self, images: Tensor, interventions: Interventions | None = None) -> list[Tensor]:
        """Return heatmaps (N, K, h, w) of each stack, the prediction last.

        Args:
            images: (N, 3, H, W) float, mean RGB subtracted.
            interventions: functions of activations by layer name.
        """

    def compiled_parts(self) -> Sequence[nn.Module]:
        """Return the modules that `modelling.training.compile` compiles separately; by default the whole network.

        Modules of one class with weights and inputs of the same shapes share one compilation.
        """
        return (self,)


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

    def pause(self, images: Tensor, stack: int | None = None, interventions: Interventions | None = None) -> PausedPass:
        """Run the forward pass up to the bottleneck of a stack.

        Args:
            images: (N, 3, H, W) float, mean RGB subtracted.
            stack: number of the stack, from 1; None: the last.
            interventions: functions of activations by layer name, for layers up to that bottleneck.
        """
        ...

    def resume(self, paused: PausedPass, interventions: Interventions | None = None) -> list[Tensor]:
        """Return the outputs of `forward`, continued from a paused pass.

        Args:
            paused: a pass of this network; with a bottleneck of M images the rest may be of one image.
            interventions: functions of activations by layer name, for layers after the bottleneck.
        """
        ...
