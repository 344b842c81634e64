"""The codec of the study's later recipe: a 1 in the nearest cell of the map, Gaussian-filtered; arg-max back.

    encode  cell c = clip(round(x * 64 / 256), 0, 63);  sigma 0.5 cells where visible, 1 where hidden, empty where unlabelled
    decode  cell c stands for x = 4 c                   (the inverse of x / 4 = c: NOT the middle of the cell's pixels)

Rounding is to the nearest, halves to the even cell, as NumPy rounds.

    mirror  joint W - 1 - x lies at (W - 1 - x) / s = w - 1 / s - x / s cells, s the stride, w the map's width: the mirror of
            cell c is w - 1 / s - c, no whole cell, and NOT w - 1 - c; for s = 4 the nearest whole one is w - c
"""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import DecodedJoints, EncodedTargets, find_peaks
from posescope.codecs.separable_rendering import filtered_impulses, outer_maps
from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.geometry.flips import flip_heatmaps

__all__ = ["ThesisCodec", "ThesisOptions", "decode_thesis", "compute_map_size", "nearest_heatmap_px", "Thesis256Codec"]


class ThesisOptions(Options):
    """Options of the study's codecs."""

    stride: int = Field(4, ge=1, le=256, description="crop px a cell")
    sigma_visible: float = Field(
        0.5, gt=0, le=256, description="filter's standard deviation where visible; cells of the filtered map"
    )
    sigma_occluded: float = Field(1.0, gt=0, le=256, description="likewise where labelled but hidden")


class ThesisCodec:
    """Impulse and filter on the map itself (64 x 64 for crops of 256 px)."""

    Options = ThesisOptions

    def __init__(self, options: ThesisOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        self.options, self.crop_size, self.joint_count = options, crop_size, joint_count
        self.map_size = compute_map_size(crop_size, options.stride)
        self._tables = [
            torch.stack([torch.zeros(side, side, dtype=torch.float64), *(filtered_impulses(side, s) for s in _sigmas(options))])
            for side in self.map_size
        ]

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """Targets of N persons; every map counts alike, the empty ones too, as in the study."""
        cell_x = nearest_heatmap_px(joints[..., 0], self.crop_size[1], self.map_size[1])
        cell_y = nearest_heatmap_px(joints[..., 1], self.crop_size[0], self.map_size[0])
        kind = _kind(visibility)
        self._tables = [table.to(joints.device) for table in self._tables]  # once: a copy in every step would hold up a GPU
        column_table, row_table = self._tables
        heatmaps = outer_maps(column_table[kind, cell_y], row_table[kind, cell_x])
        return EncodedTargets(heatmaps.float(), torch.ones_like(joints[..., 0], dtype=torch.float32))

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """Arg-max; cell c -> x = stride * c."""
        return decode_thesis(heatmaps, self.crop_size, self.map_size)

    def unflip(self, heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
        """Mirror and, from stride 3 on, move by one cell: c -> w - c; up to stride 2, c -> w - 1 - c is as near or nearer.

        What is left at stride 4: x comes out 1 px (a quarter of a cell) too large by the mirrored pass alone, so at most
        half a px by the mean of both passes. The column that the move leaves empty repeats its neighbour, and the column that
        it pushes out is joined to the last one, as `encode` clips there.
        """
        mirrored = flip_heatmaps(heatmaps, flip_indices)
        if self.options.stride <= 2:
            return mirrored
        moved = torch.cat([mirrored[..., :1], mirrored[..., :-1]], dim=-1)
        last = torch.maximum(moved[..., -1:], mirrored[..., -1:])
        return torch.cat([moved[..., :-1], last], dim=-1)


def nearest_heatmap_px(x: Tensor, crop_side: int, map_side: int) -> Tensor:
    """Crop px -> int64 cells, the study's rounding; NaN -> 0 (its map is empty anyway)."""
    cells = torch.round(x.double().nan_to_num(0.0) * map_side / crop_side)
    return cells.clamp(0, map_side - 1).long()


def decode_thesis(heatmaps: Tensor, crop_size: tuple[int, int], map_size: tuple[int, int]) -> DecodedJoints:
    """Arg-max of (N, K, H, W); cell c -> c * crop / map px."""
    peaks = find_peaks(heatmaps)
    x = peaks.x.float() * (crop_size[1] / map_size[1])
    y = peaks.y.float() * (crop_size[0] / map_size[0])
    return DecodedJoints(torch.stack([x, y], dim=-1), peaks.scores)


def compute_map_size(crop_size: tuple[int, int], stride: int) -> tuple[int, int]:
    """(height, width) cells of the maps of a crop.

    Raises:
        OptionsError: if the crop's size is no multiple of the stride.
    """
    if crop_size[0] % stride or crop_size[1] % stride:
        raise OptionsError(f"codec stride {stride} does not divide the crop size {crop_size} px; choose a multiple of {stride}.")
    return crop_size[0] // stride, crop_size[1] // stride


def _sigmas(options: ThesisOptions) -> tuple[float, float]:
    return options.sigma_occluded, options.sigma_visible


def _kind(visibility: Tensor) -> Tensor:
    # Rows of the tables: 0 empty, 1 hidden, 2 visible: the numbers of COCO's visibility.
    return visibility.long()


# MERGED from thesis_256: The codec of the study's document: the impulse and the filter on a map as large as the crop,
# then area-resized to a quarter.
#
# The peaks are at most 0.0625 (a sigma of 0.5 px on the large map is spread over 4 x 4 px). The later recipe filters on
# the small
# map instead. The document does not say how the maps are resized; docs/thesis.md compares the ways. Area-resizing by a
# whole
# factor is the mean over stride x stride pixels, so this codec is separable too.


class Thesis256Codec:
    """Impulse and filter at the crop's resolution, mean over each cell. Sigmas are in crop px."""

    Options = ThesisOptions

    def __init__(self, options: ThesisOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        self.options, self.crop_size, self.joint_count = options, crop_size, joint_count
        self.map_size = compute_map_size(crop_size, options.stride)
        self._tables = [self._table(side) for side in crop_size]

    def _table(self, side: int) -> Tensor:
        """(3, side, side / stride): for empty, hidden and visible, each impulse filtered and averaged over the cells."""
        tables = [torch.zeros(side, side, dtype=torch.float64)]
        tables += [filtered_impulses(side, sigma) for sigma in (self.options.sigma_occluded, self.options.sigma_visible)]
        return torch.stack(tables).reshape(len(tables), side, -1, self.options.stride).mean(dim=3)

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """Targets of N persons; every map counts alike."""
        x = nearest_heatmap_px(joints[..., 0], self.crop_size[1], self.crop_size[1])
        y = nearest_heatmap_px(joints[..., 1], self.crop_size[0], self.crop_size[0])
        self._tables = [table.to(joints.device) for table in self._tables]  # once: a copy in every step would hold up a GPU
        column_table, row_table = self._tables
        kind = visibility.long()
        heatmaps = outer_maps(column_table[kind, y], row_table[kind, x])
        return EncodedTargets(heatmaps.float(), torch.ones_like(joints[..., 0], dtype=torch.float32))

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """Arg-max; the middle of the cell's pixels, since here a cell is the mean of its pixels."""
        decoded = decode_thesis(heatmaps, self.crop_size, self.map_size)
        return DecodedJoints(decoded.joints + (self.options.stride - 1) / 2, decoded.scores)

    def unflip(self, heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
        """Exact: a cell is the mean of its pixels, so a crop's mirror is its map's mirror."""
        return flip_heatmaps(heatmaps, flip_indices)
