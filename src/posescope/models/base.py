"""The contract of a pose network, and its taps: named places where a forward pass can be read, changed, or taken up again."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

__all__ = ["Interventions", "PausedPass", "PoseNetwork", "Resumable"]

# At a tap called `name`, the value v of the forward pass is replaced by edits[name](v). Reading is an edit that returns v.
Interventions = Mapping[str, Callable[[Tensor], Tensor]]


class PoseNetwork(nn.Module, ABC):
    """Component contract: `network(options, crop_size=(H, W), joint_count=K)`.

    Attributes:
        map_size: (height, width) cells of the heatmaps that it puts out.
        layer_names: every named place, in the order in which a forward pass meets them, for example `stack1.bottleneck`.
        bottleneck_layer: the tap that explainability reads unless told otherwise.
        skip_layers: the taps on the skip connections, from the finest level to the coarsest, stack by stack.
    """

    map_size: tuple[int, int]
    layer_names: tuple[str, ...]
    bottleneck_layer: str
    skip_layers: tuple[str, ...]

    @abstractmethod
    def forward(self, images: Tensor, interventions: Interventions | None = None) -> list[Tensor]:
        """(N, 3, H, W) float, mean RGB subtracted -> one (N, K, h, w) a stack; the last one is the answer."""

    def compiled_parts(self) -> Sequence[nn.Module]:
        """What is compiled, each for itself, where training is (`modelling.training.compile`); here the whole.

        Parts of the same class with weights of the same shapes that read tensors of the same shape share one compilation.
        """
        return (self,)


@dataclass(frozen=True)
class PausedPass:
    """A forward pass of N images that has stopped at the bottleneck of a stack.

    Attributes:
        stack: where; 1 is the first.
        outputs: (N, K, h, w) heatmaps of each stack before it.
        read: (N, C, h, w) what that stack read.
        skips: what its skips carry, the finest level first; empty if it has none.
        bottleneck: (N, C, h', w') what the rest of the network goes on from.
    """

    stack: int
    outputs: tuple[Tensor, ...]
    read: Tensor
    skips: tuple[Tensor, ...]
    bottleneck: Tensor


@runtime_checkable
class Resumable(Protocol):
    """A network whose forward pass can be paused at a stack's bottleneck; a `PoseNetwork` may do without."""

    def pause(self, images: Tensor, stack: int | None = None, interventions: Interventions | None = None) -> PausedPass:
        """(N, 3, H, W) float, mean RGB subtracted -> the pass as far as the bottleneck of a stack; none: the last stack's."""
        ...

    def resume(self, paused: PausedPass, interventions: Interventions | None = None) -> list[Tensor]:
        """The outputs of `forward`, gone on with from there; the bottleneck may be that of M images, the rest that of one."""
        ...
