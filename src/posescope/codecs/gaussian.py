"""Gaussian heatmaps with sub-pixel centres.

encode   map[y, x] = exp(-((x - x_map)^2 + (y - y_map)^2) / (2 sigma^2)), x_map = (x_crop + 0.5) / stride - 0.5, or with
         `alignment: corners` x_crop * (w - 1) / (W - 1)
decode   argmax    the highest px
         quarter   the highest px, shifted by a quarter px towards the higher neighbour (Newell et al. 2016)
         dark      a Newton step on the logarithm of the map (Zhang et al. 2020, "Distribution-Aware Coordinate
                   Representation", eq. 5-9), exact for a Gaussian
         integral  the mean place of the softmax of the map (`soft_argmax`), which the losses `integral` and `oks` train
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import Codec, DecodedJoints, EncodedTargets, find_peaks
from posescope.codecs.separable_rendering import compute_map_size, outer_maps
from posescope.codecs.soft_argmax import soft_argmax
from posescope.core.plugins import Options
from posescope.geometry.heatmap_px import corner_strides, crop_from_heatmap, heatmap_from_crop

__all__ = ["GaussianCodec", "GaussianOptions"]

_FLOOR = 1e-10  # lower bound for logarithms of empty px


class GaussianOptions(Options):
    """Options of `gaussian`."""

    stride: int = Field(4, ge=1, le=256, description="Crop px per heatmap px")
    sigma_heatmap_px: float = Field(1.5, gt=0, le=256, description="Standard deviation, heatmap px")
    weight_visible: float = Field(1.0, ge=0, le=1e6, description="Loss weight of the heatmap of a visible joint")
    weight_occluded: float = Field(1.0, ge=0, le=1e6, description="Loss weight of the heatmap of an occluded joint")
    weight_unlabelled: float = Field(0.0, ge=0, le=1e6, description="Loss weight of the empty heatmap of an unlabelled joint")
    decoder: Literal["argmax", "quarter", "dark", "integral"] = Field("dark", description="Method for the position of a joint")
    alignment: Literal["edges", "corners"] = Field(
        "edges",
        description="What heatmap and crop have in common: the outer edges, or the centres of the corner px (unbiased data "
        "processing, Huang et al. 2020; expected by weights such as ViTPose's)",
    )
    blur_sigma_heatmap_px: float = Field(1.0, ge=0, le=256, description="Smoothing before the `dark` step, heatmap px; 0: none")
    temperature: float = Field(
        0.05, gt=0, le=100, description="Divisor of the heatmap in the softmax of decoder `integral` and of losses of coordinates"
    )


class GaussianCodec(Codec):
    """Gaussian of height 1 at the sub-pixel position of the joint."""

    Options = GaussianOptions

    def __init__(self, options: GaussianOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        self.options, self.crop_size, self.joint_count = options, crop_size, joint_count
        self.map_size = compute_map_size(crop_size, options.stride)

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        """Return the targets of N persons; unlabelled joints have an empty heatmap and their own weight.

        Args:
            joints: (N, K, 2) crop px, NaN where missing.
            visibility: (N, K), 0 unlabelled, 1 occluded, 2 visible.
        """
        place = self._place_in_map(joints.float())
        rows = self._render_axis(place[..., 0], self.map_size[1])
        columns = self._render_axis(place[..., 1], self.map_size[0])
        unlabelled = (visibility == 0).unsqueeze(-1)
        columns = columns.masked_fill(unlabelled, 0.0)  # an empty column makes an empty map
        heatmaps = outer_maps(columns, rows)
        o = self.options
        labelled = torch.where(visibility == 1, o.weight_occluded, o.weight_visible)
        weights = labelled.masked_fill(visibility == 0, o.weight_unlabelled)
        return EncodedTargets(heatmaps, weights, place.masked_fill(unlabelled, torch.nan))

    def locate(self, heatmaps: Tensor) -> Tensor:
        """Return the soft arg-max (N, K, 2) of heatmaps (N, K, H, W), heatmap px; see `soft_argmax`."""
        return soft_argmax(heatmaps, self.options.temperature)

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        """Return sub-pixel joints in crop px by the chosen decoder; the scores are the heights of the peaks for all of them."""
        peaks = find_peaks(heatmaps)
        place = torch.stack([peaks.x, peaks.y], dim=-1).float()
        if self.options.decoder == "quarter":
            place = place + _quarter_offset(heatmaps, peaks.x, peaks.y)
        elif self.options.decoder == "dark":
            place = place + _newton_offset(self._smooth(heatmaps), peaks.x, peaks.y)
        elif self.options.decoder == "integral":
            place = self.locate(heatmaps)
        return DecodedJoints(self._place_in_crop(place), peaks.scores)

    def _place_in_map(self, joints: Tensor) -> Tensor:
        if self.options.alignment == "edges":
            return heatmap_from_crop(joints, float(self.options.stride))
        return joints / joints.new_tensor(corner_strides(self.crop_size, self.map_size))

    def _place_in_crop(self, places: Tensor) -> Tensor:
        if self.options.alignment == "edges":
            return crop_from_heatmap(places, float(self.options.stride))
        return places * places.new_tensor(corner_strides(self.crop_size, self.map_size))

    def _render_axis(self, centre: Tensor, length: int) -> Tensor:
        px = torch.arange(length, device=centre.device, dtype=torch.float32)
        return torch.exp(-0.5 * ((px - centre.nan_to_num(0.0).unsqueeze(-1)) / self.options.sigma_heatmap_px) ** 2)

    def _smooth(self, heatmaps: Tensor) -> Tensor:
        sigma = self.options.blur_sigma_heatmap_px
        if sigma == 0:
            return heatmaps
        radius = max(1, int(3 * sigma + 0.5))
        offsets = torch.arange(-radius, radius + 1, device=heatmaps.device, dtype=heatmaps.dtype)
        kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
        kernel = kernel / kernel.sum()
        flat = heatmaps.flatten(0, 1).unsqueeze(1)
        flat = F.conv2d(F.pad(flat, (radius, radius, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
        flat = F.conv2d(F.pad(flat, (0, 0, radius, radius), mode="replicate"), kernel.view(1, 1, -1, 1))
        return flat.view_as(heatmaps)


def _neighbourhood(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the 3 x 3 px around each peak, (N, K, 3, 3); px beyond the border repeat it."""
    height, width = heatmaps.shape[-2:]
    step = torch.arange(-1, 2, device=heatmaps.device)
    columns = (x[..., None] + step).clamp(0, width - 1)
    rows = (y[..., None] + step).clamp(0, height - 1)
    places = rows[..., :, None] * width + columns[..., None, :]
    return heatmaps.flatten(2).gather(2, places.flatten(2)).reshape(places.shape)


def _quarter_offset(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    around = _neighbourhood(heatmaps, x, y)
    slope = torch.stack([around[..., 1, 2] - around[..., 1, 0], around[..., 2, 1] - around[..., 0, 1]], dim=-1)
    return 0.25 * torch.sign(slope)


def _newton_offset(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return -H^-1 g of the logarithm at the peak, at most 1 px; 0 at the border or where the surface has no maximum."""
    around = torch.log(_neighbourhood(heatmaps, x, y).clamp_min(_FLOOR))
    dx = (around[..., 1, 2] - around[..., 1, 0]) / 2
    dy = (around[..., 2, 1] - around[..., 0, 1]) / 2
    dxx = around[..., 1, 2] - 2 * around[..., 1, 1] + around[..., 1, 0]
    dyy = around[..., 2, 1] - 2 * around[..., 1, 1] + around[..., 0, 1]
    dxy = (around[..., 2, 2] - around[..., 2, 0] - around[..., 0, 2] + around[..., 0, 0]) / 4
    determinant = dxx * dyy - dxy**2
    height, width = heatmaps.shape[-2:]
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    peaked = inside & (determinant > _FLOOR) & (dxx < 0)
    safe = torch.where(peaked, determinant, torch.ones_like(determinant))
    offset = torch.stack([(dxy * dy - dyy * dx) / safe, (dxy * dx - dxx * dy) / safe], dim=-1)
    return torch.where(peaked.unsqueeze(-1), offset, torch.zeros_like(offset)).clamp(-1, 1)
