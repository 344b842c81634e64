"""The contract of a codec: encode and decode of one scheme, together, on whatever device the tensors are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

__all__ = ["Codec", "DecodedJoints", "EncodedTargets", "Peaks", "find_peaks"]


@dataclass(frozen=True)
class EncodedTargets:
    """What a network shall put out.

    Attributes:
        heatmaps: (N, K, H, W) float32, cells.
        weights: (N, K) float32 >= 0: how much each map counts in the loss.
    """

    heatmaps: Tensor
    weights: Tensor


@dataclass(frozen=True)
class DecodedJoints:
    """What heatmaps say.

    Attributes:
        joints: (N, K, 2) float32 crop px, never NaN.
        scores: (N, K) float32: the height of the peak.
    """

    joints: Tensor
    scores: Tensor


class Codec(Protocol):
    """One scheme. Component contract: `codec(options, crop_size=(H, W), joint_count=K)`.

    Attributes:
        crop_size: (height, width) px of the crops.
        map_size: (height, width) cells of the heatmaps.
    """

    crop_size: tuple[int, int]
    map_size: tuple[int, int]

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """(N, K, 2) crop px (NaN where missing) and (N, K) visibility -> heatmaps and weights."""
        ...

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """(N, K, H, W) -> joints in crop px and scores."""
        ...

    def unflip(self, heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
        """(N, K, H, W) maps of the mirrored crop (joint at W - 1 - x, left and right exchanged) -> maps of the crop itself.

        Where cells are symmetric in the crop this is `geometry.flips.flip_heatmaps`; `flip_indices` as `Skeleton.flip_indices`.
        """
        ...


# MERGED from peaks: Finding the highest cell of heatmaps.


@dataclass(frozen=True)
class Peaks:
    """The highest cell of each map (the first one, row by row, where several are equally high).

    Attributes:
        x, y: (N, K) int64 cells.
        scores: (N, K): the value there.
    """

    x: Tensor
    y: Tensor
    scores: Tensor


def find_peaks(heatmaps: Tensor) -> Peaks:
    """(N, K, H, W) -> the highest cell of each map."""
    width = heatmaps.shape[-1]
    scores, place = heatmaps.flatten(2).max(dim=2)
    return Peaks(x=place % width, y=place // width, scores=scores)
