"""The thesis's codecs: a 1 in the px nearest to the joint, Gaussian-filtered; decoded by arg-max.

Component `thesis`, the author's later recipe, filters on the heatmap itself (64 x 64 px for crops of 256 px):

    encode  px c = clip(round(x * 64 / 256), 0, 63);  sigma 0.5 px where visible, 1 px where occluded, empty where unlabelled
    decode  px c stands for x = 4 c                   (the inverse of x / 4 = c, not the centre of the crop px that c covers)

Rounding is to the nearest integer, halves to the even one, as in NumPy.

    flip    joint W - 1 - x is at (W - 1 - x) / s = w - 1 / s - x / s heatmap px, s the stride, w the width of the heatmap: the
            mirror image of px c is at w - 1 / s - c, which is no integer and not w - 1 - c; for s = 4 the nearest px is w - c

Component `thesis_256`, the thesis document, filters on a map of the crop's size and area-resizes it by the stride. The peaks are
at most 0.0625 (a sigma of 0.5 px is spread over 4 x 4 px). The document does not state the resizing method; docs/thesis.md
compares several. Area-resizing by an integer factor is the mean over stride x stride px, so this codec is separable too.
"""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import Codec, DecodedJoints, EncodedTargets, find_peaks
from posescope.codecs.separable_rendering import compute_map_size, filtered_impulses, outer_maps
from posescope.core.plugins import Options
from posescope.geometry.flips import flip_heatmaps

__all__ = ["Thesis256Codec", "ThesisCodec", "ThesisOptions"]


class ThesisOptions(Options):
    """Options of the thesis's codecs."""

    stride: int = Field(4, ge=1, le=256, description="Crop px per heatmap px")
    sigma_visible: float = Field(
        0.5, gt=0, le=256, description="Standard deviation of the filter for visible joints, px of the filtered map"
    )
    sigma_occluded: float = Field(1.0, gt=0, le=256, description="The same for joints that are labelled but occluded")


class ThesisCodec(Codec):
    """Codec of the thesis's later recipe: impulse and filter on the heatmap itself."""

    Options = ThesisOptions

    def __init__(self, options: ThesisOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        self.options, self.crop_size, self.joint_count = options, crop_size, joint_count
        self.map_size = compute_map_size(crop_size, options.stride)
        self._impulse_size = self.map_size  # (height, width) px of the map in which the 1 is set
        self._tables = [self._make_table(side) for side in self._impulse_size]

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """Return the targets of N persons; all heatmaps have weight 1, also empty ones, as in the thesis.

        Args:
            joints: (N, K, 2) crop px, NaN where missing.
            visibility: (N, K), 0 unlabelled, 1 occluded, 2 visible.
        """
        x = _nearest_px(joints[..., 0], self.crop_size[1], self._impulse_size[1])
        y = _nearest_px(joints[..., 1], self.crop_size[0], self._impulse_size[0])
        self._tables = [table.to(joints.device) for table in self._tables]  # copied once: a copy per step would delay a GPU
        column_table, row_table = self._tables
        rows = visibility.long()
        heatmaps = outer_maps(column_table[rows, y], row_table[rows, x])
        return EncodedTargets(heatmaps.float(), torch.ones_like(joints[..., 0], dtype=torch.float32))

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """Return the arg-max, with px c at x = stride * c."""
        peaks = find_peaks(heatmaps)
        x = peaks.x.float() * (self.crop_size[1] / self.map_size[1])
        y = peaks.y.float() * (self.crop_size[0] / self.map_size[0])
        return DecodedJoints(torch.stack([x, y], dim=-1), peaks.scores)

    def unflip(self, heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
        """Flip and, from stride 3 on, shift by one px: c -> w - c. Up to stride 2, c -> w - 1 - c is as close or closer.

        At stride 4 an error of 1 px (a quarter of a heatmap px) in x remains in the flipped pass alone, so at most half a px in
        the mean of both passes. The column that the shift empties repeats its neighbour, and the column that it removes is
        merged into the last one, as `encode` clips there.

        Args:
            heatmaps: (N, K, H, W) of the flipped crops.
            flip_indices: K indices as in `Skeleton.flip_indices`.
        """
        flipped = flip_heatmaps(heatmaps, flip_indices)
        if self.options.stride <= 2:
            return flipped
        shifted = torch.cat([flipped[..., :1], flipped[..., :-1]], dim=-1)
        last = torch.maximum(shifted[..., -1:], flipped[..., -1:])
        return torch.cat([shifted[..., :-1], last], dim=-1)

    def _make_table(self, side: int) -> Tensor:
        """Return (3, side, side): zeros, then each impulse filtered for occluded and for visible, as COCO numbers visibility."""
        sigmas = self.options.sigma_occluded, self.options.sigma_visible
        return torch.stack([torch.zeros(side, side, dtype=torch.float64), *(filtered_impulses(side, sigma) for sigma in sigmas)])


class Thesis256Codec(ThesisCodec):
    """Codec of the thesis document: impulse and filter at the crop's resolution, then the mean per heatmap px."""

    unflip = Codec.unflip  # exact, since a heatmap px is the mean of its crop px

    def __init__(self, options: ThesisOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__(options, crop_size, joint_count)
        self._impulse_size = crop_size
        self._tables = [self._make_table(side).reshape(3, side, -1, options.stride).mean(dim=3) for side in crop_size]

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """Return the arg-max, with px c at the centre of the crop px that it is the mean of."""
        decoded = super().decode(heatmaps)
        return DecodedJoints(decoded.joints + (self.options.stride - 1) / 2, decoded.scores)


def _nearest_px(x: Tensor, crop_side: int, map_side: int) -> Tensor:
    """Return int64 map px of crop px by the thesis's rounding; NaN becomes 0, since its heatmap is empty."""
    px = torch.round(x.double().nan_to_num(0.0) * map_side / crop_side)
    return px.clamp(0, map_side - 1).long()
