"""Contract of a codec, which encodes joints as heatmaps and decodes them again, and the arg-max that decoders share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from posescope.geometry.flips import flip_heatmaps

__all__ = [
    "Codec", "CoordinateCodec", "DecodedJoints", "EncodedTargets", "Peaks", "encode_weighted", "find_peaks",
]  # fmt: skip


@dataclass(frozen=True)
class EncodedTargets:
    """Training targets of N persons.

    Attributes:
        heatmaps: (N, K, H, W) float32 in heatmap px.
        weights: (N, K) float32 >= 0, weight of each heatmap in the loss.
        joints: (N, K, 2) float32 heatmap px, NaN where unlabelled, for losses of coordinates; None: the codec has none.
    """

    heatmaps: Tensor
    weights: Tensor
    joints: Tensor | None = None


@dataclass(frozen=True)
class DecodedJoints:
    """Predicted joints of N persons.

    Attributes:
        joints: (N, K, 2) float32 crop px, never NaN.
        scores: (N, K) float32, height of the peak.
    """

    joints: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Peaks:
    """Highest px of each heatmap; the first one in row order where several are equally high.

    Attributes:
        x, y: (N, K) int64 heatmap px.
        scores: (N, K), value at the peak.
    """

    x: Tensor
    y: Tensor
    scores: Tensor


class Codec(Protocol):
    """Contract of the components of `posescope.codecs`: `codec(options, crop_size=(H, W), joint_count=K)`.

    All methods work on the device of their tensors.

    Attributes:
        crop_size: (height, width) px of the crops.
        map_size: (height, width) px of the heatmaps.
    """

    crop_size: tuple[int, int]
    map_size: tuple[int, int]

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """Return the targets of N persons.

        Args:
            joints: (N, K, 2) crop px, NaN where missing.
            visibility: (N, K), 0 unlabelled, 1 occluded, 2 visible.
        """
        ...

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """Return the joints of heatmaps (N, K, H, W)."""
        ...

    def unflip(self, heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
        """Return the heatmaps of crops from those of the flipped crops, for test-time flipping.

        The flip maps a joint at x to W - 1 - x and exchanges left and right. This default is exact where the centre of heatmap
        px c is at (c + 0.5) * stride - 0.5 in the crop, so that the px are symmetric in it.

        Args:
            heatmaps: (N, K, H, W) of the flipped crops.
            flip_indices: K indices as in `Skeleton.flip_indices`.
        """
        return flip_heatmaps(heatmaps, flip_indices)


@runtime_checkable
class CoordinateCodec(Codec, Protocol):
    """Codec for losses of coordinates: its targets have `joints`, and its heatmaps have places with a gradient."""

    def locate(self, heatmaps: Tensor) -> Tensor:
        """Return the differentiable places (N, K, 2) of joints in heatmaps (N, K, H, W), heatmap px."""
        ...


def encode_weighted(codec: Codec, joints: Tensor, visibility: Tensor, weights: Tensor | None) -> EncodedTargets:
    """Return the targets of N persons, with the weight of each heatmap multiplied by that of its joint.

    A joint that the data set of a person does not annotate has weight 0 here with every codec, also with one that penalises the
    empty heatmaps of unlabelled joints.

    Args:
        codec: the codec.
        joints: (N, K, 2) crop px, NaN where missing.
        visibility: (N, K), 0 unlabelled, 1 occluded, 2 visible.
        weights: (N, K) factors >= 0, `PoseTargets.weights`. None: 1 for all.
    """
    targets = codec.encode(joints, visibility)
    return targets if weights is None else replace(targets, weights=targets.weights * weights)


def find_peaks(heatmaps: Tensor) -> Peaks:
    """Return the highest px of each heatmap (N, K, H, W)."""
    width = heatmaps.shape[-1]
    scores, place = heatmaps.flatten(2).max(dim=2)
    return Peaks(x=place % width, y=place // width, scores=scores)
