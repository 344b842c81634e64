"""The contract of a pose network, and its taps: named places where a forward pass can be read or changed."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from torch import Tensor, nn

__all__ = ["Edits", "PoseNetwork"]

# At a tap called `name`, the value v of the forward pass is replaced by edits[name](v). Reading is an edit that returns v.
Edits = Mapping[str, Callable[[Tensor], Tensor]]


class PoseNetwork(nn.Module, ABC):
    """Component contract: `network(options, crop_size=(H, W), joint_count=K)`.

    Attributes:
        map_size: (height, width) cells of the heatmaps that it puts out.
        tap_names: every named place, in the order in which a forward pass meets them, for example `stack1.bottleneck`.
        bottleneck_tap: the tap that explainability reads unless told otherwise.
        skip_taps: the taps on the skip connections, from the finest level to the coarsest, stack by stack.
    """

    map_size: tuple[int, int]
    tap_names: tuple[str, ...]
    bottleneck_tap: str
    skip_taps: tuple[str, ...]

    @abstractmethod
    def forward(self, images: Tensor, edits: Edits | None = None) -> list[Tensor]:
        """(N, 3, H, W) float, mean RGB subtracted -> one (N, K, h, w) a stack; the last one is the answer."""
