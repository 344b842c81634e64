"""Execution of an augmentation plan on the device of the images: colour map, normalisation and one resampling.

A plan that only flips is executed without resampling, so its images are exact.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from posescope.artifacts.devices import copy_to_device
from posescope.geometry.flips import flip_images
from posescope.geometry.warping import SeparableGrid, apply_affine_batch, lies_inside, warp_images
from posescope.training.augmentation.plan import AugmentationPlan
from posescope.training.chunking import fill_in_chunks

__all__ = ["AugmentedBatch", "ImageNormaliser", "apply_plan"]

MeanRgb = tuple[float, float, float]


@dataclass(frozen=True)
class AugmentedBatch:
    """N augmented persons.

    Attributes:
        images: (N, 3, H, W) float32, mean RGB subtracted; 0 (the mean colour) outside the crop.
        joints: (N, K, 2) float32 crop px, NaN where unlabelled or outside the crop.
        visibility: (N, K) uint8, 0 where the joint is NaN.
    """

    images: Tensor
    joints: Tensor
    visibility: Tensor


def apply_plan(plan: AugmentationPlan, images: Tensor, joints: Tensor, visibility: Tensor, mean_rgb: MeanRgb) -> AugmentedBatch:
    """Augment N persons on the device of their images.

    Args:
        plan: plan of the same N persons.
        images: (N, H, W, 3) uint8 RGB.
        joints: (N, K, 2) float32 crop px, NaN where unlabelled.
        visibility: (N, K) uint8.
        mean_rgb: mean RGB to subtract, 0..1.
    """
    moved = apply_affine_batch(copy_to_device(plan.augmented_from_crop, joints.device), joints.double()).to(joints.dtype)
    partner = copy_to_device(torch.as_tensor(plan.skeleton.flip_indices), joints.device)
    mirrored = copy_to_device(plan.mirrored, joints.device).view(-1, 1)
    moved = torch.where(mirrored.unsqueeze(-1), moved[:, partner], moved)
    seen = torch.where(mirrored, visibility[:, partner], visibility)
    outside = ~lies_inside(moved, plan.crop_size)
    return AugmentedBatch(
        images=_warp(plan, images, mean_rgb) if plan.resamples() else _flip(plan, images, mean_rgb),
        joints=moved.masked_fill(outside.unsqueeze(-1), torch.nan),
        visibility=seen.masked_fill(outside, 0),
    )


def _flip(plan: AugmentationPlan, images: Tensor, mean_rgb: MeanRgb) -> Tensor:
    normaliser, mirrored = (
        _make_normaliser(plan, images, mean_rgb),
        copy_to_device(plan.mirrored, images.device).view(-1, 1, 1, 1),
    )

    def make(chunk: slice) -> Tensor:
        values = normaliser.normalise(images[chunk], chunk)
        return torch.where(mirrored[chunk], flip_images(values), values)

    return fill_in_chunks(images, make, torch.channels_last)


def _warp(plan: AugmentationPlan, images: Tensor, mean_rgb: MeanRgb) -> Tensor:
    normaliser = _make_normaliser(plan, images, mean_rgb)
    grid = SeparableGrid.from_maps(plan.augmented_from_crop, plan.crop_size)
    grid = SeparableGrid(copy_to_device(grid.by_column, images.device), copy_to_device(grid.by_row, images.device))

    def make(chunk: slice) -> Tensor:
        return warp_images(normaliser.normalise(images[chunk], chunk), grid.part(chunk))

    return fill_in_chunks(images, make, torch.contiguous_format)


def _make_normaliser(plan: AugmentationPlan, images: Tensor, mean_rgb: MeanRgb) -> "ImageNormaliser":
    colour_matrix = copy_to_device(plan.colour_matrix, images.device) if plan.recolours() else None
    return ImageNormaliser(colour_matrix, mean_rgb, images.device)


class ImageNormaliser:
    """Converts uint8 images to normalised float32 channels first, with a colour map per person.

    The working memory is reused from call to call, since allocating it costs more than the arithmetic. Each call overwrites the
    result of the previous one.

    Args:
        colour_matrix: (N, 3, 4) float32 for values 0..1, as in `AugmentationPlan`; None without colour changes.
        mean_rgb: mean RGB to subtract, 0..1.
        device: device of the images.
    """

    def __init__(self, colour_matrix: Tensor | None, mean_rgb: MeanRgb, device: torch.device) -> None:
        self._mean_rgb = mean_rgb
        self._mean = copy_to_device(torch.tensor(mean_rgb), device).view(3, 1, 1)
        self._colour_matrix = colour_matrix
        if colour_matrix is not None:
            self._factors = colour_matrix[..., :3] / 255.0
            self._offsets = colour_matrix[..., 3:] - self._mean[..., 0]
        types = (torch.uint8, torch.float32, torch.float32)
        self._bytes, self._planes, self._values = (torch.empty(0, dtype=dtype, device=device) for dtype in types)

    def normalise(self, images: Tensor, persons: slice) -> Tensor:
        """Return (n, 3, H, W) float32, each channel contiguous, which is the fastest to resample.

        Args:
            images: (n, H, W, 3) uint8 RGB of the persons in the slice.
            persons: slice of n of the N persons.
        """
        count, height, width, _ = images.shape
        for memory in (self._bytes, self._planes, self._values):
            memory.resize_(count, 3, height, width)
        # First channels, then floats: a third faster than both at once.
        planes = self._planes.copy_(self._bytes.copy_(images.permute(0, 3, 1, 2)))
        if self._colour_matrix is None:
            return planes.div_(255.0).sub_(self._mean)
        values = self._values.view(count, 3, height * width)
        torch.baddbmm(self._offsets[persons], self._factors[persons], planes.view_as(values), out=values)
        for plane, mean in zip(self._values.unbind(1), self._mean_rgb, strict=True):
            plane.clamp_(-mean, 1 - mean)
        return self._values
