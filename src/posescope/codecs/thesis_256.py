"""The codec of the study's document: the impulse and the filter on a map as large as the crop, then area-resized to a quarter.

The peaks are at most 0.0625 (a sigma of 0.5 px on the large map is spread over 4 x 4 px). The later recipe filters on the small
map instead. The document does not say how the maps are resized; docs/thesis.md compares the ways. Area-resizing by a whole
factor is the mean over stride x stride pixels, so this codec is separable too.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from posescope.codecs.base import DecodedJoints, EncodedTargets
from posescope.codecs.separable import filtered_impulses, outer_maps
from posescope.codecs.thesis import ThesisOptions, decode_thesis, map_size_of, nearest_cells
from posescope.geometry.flips import flip_heatmaps

__all__ = ["Thesis256Codec"]


class Thesis256Codec:
    """Impulse and filter at the crop's resolution, mean over each cell. Sigmas are in crop px."""

    Options = ThesisOptions

    def __init__(self, options: ThesisOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        self.options, self.crop_size, self.joint_count = options, crop_size, joint_count
        self.map_size = map_size_of(crop_size, options.stride)
        self._tables = [self._table(side) for side in crop_size]

    def _table(self, side: int) -> Tensor:
        """(3, side, side / stride): for empty, hidden and visible, each impulse filtered and averaged over the cells."""
        tables = [torch.zeros(side, side, dtype=torch.float64)]
        tables += [filtered_impulses(side, sigma) for sigma in (self.options.sigma_hidden, self.options.sigma_visible)]
        return torch.stack(tables).reshape(len(tables), side, -1, self.options.stride).mean(dim=3)

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """Targets of N persons; every map counts alike."""
        x = nearest_cells(joints[..., 0], self.crop_size[1], self.crop_size[1])
        y = nearest_cells(joints[..., 1], self.crop_size[0], self.crop_size[0])
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
