"""Codec whose targets are squares of ones."""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import DecodedJoints, EncodedTargets, find_peaks
from posescope.core.plugins import Options
from posescope.geometry.flips import flip_heatmaps
from posescope.geometry.heatmap_px import crop_from_heatmap, heatmap_from_crop

__all__ = ["BoxCodec", "BoxCodecOptions"]

STRIDE = 4


class BoxCodecOptions(Options):
    """Options of `boxes`."""

    reach_cells: float = Field(1.5, gt=0, description="half the side of a square, cells")


class BoxCodec:
    """Codec with a square of ones around each joint; the first maximum is decoded."""

    Options = BoxCodecOptions

    def __init__(self, options: BoxCodecOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        self.options, self.crop_size = options, crop_size
        self.map_size = (crop_size[0] // STRIDE, crop_size[1] // STRIDE)

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """Return squares around labelled joints and empty maps for unlabelled ones."""
        x, y = heatmap_from_crop(joints, STRIDE).unbind(-1)
        rows, columns = (torch.arange(length, device=joints.device) for length in self.map_size)
        near_x = (columns - x[..., None]).abs() <= self.options.reach_cells
        near_y = (rows - y[..., None]).abs() <= self.options.reach_cells
        labelled = (visibility > 0)[..., None, None]
        heatmaps = (near_y[..., :, None] & near_x[..., None, :] & labelled).float()
        return EncodedTargets(heatmaps, (visibility > 0).float())

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """Return the centre of the first maximum."""
        peaks = find_peaks(heatmaps)
        cells = torch.stack([peaks.x, peaks.y], dim=-1).float()
        return DecodedJoints(crop_from_heatmap(cells, STRIDE), peaks.scores)

    def unflip(self, heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
        """Mirror the maps, which are symmetric in the crop."""
        return flip_heatmaps(heatmaps, flip_indices)
