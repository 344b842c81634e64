"""Execution of an augmentation plan on the device of the images: colour map, normalisation and one resampling.

A plan that only flips is executed without resampling, so its images are exact.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from posescope.artifacts.devices import copy_to_device
from posescope.geometry.flips import flip_images
from posescope.geometry.warping import apply_affine_batch, lies_inside, separable_grid, warp_images
from posescope.training.augmentation.plan import AugmentationPlan

__all__ = ["AugmentedBatch", "apply_plan"]

MeanRgb = tuple[float, float, float]
_CPU_BLOCK = 2  # persons that fit in the cache through all operations


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
        images=_augment_images(plan, images, mean_rgb),
        joints=moved.masked_fill(outside.unsqueeze(-1), torch.nan),
        visibility=seen.masked_fill(outside, 0),
    )


def _augment_images(plan: AugmentationPlan, images: Tensor, mean_rgb: MeanRgb) -> Tensor:
    """Return the images (N, 3, H, W) of a plan."""
    move, recolours = _warp if plan.resamples() else _flip, plan.recolours()
    size = _CPU_BLOCK if images.device.type == "cpu" else max(len(images), 1)
    moved = []
    for first in range(0, max(len(images), 1), size):
        persons = slice(first, first + size)
        part = plan.part(persons)
        moved.append(move(part, _normalise(images[persons], mean_rgb, part.colour_matrix if recolours else None)))
    return torch.cat(moved)


def _flip(plan: AugmentationPlan, images: Tensor) -> Tensor:
    mirrored = copy_to_device(plan.mirrored, images.device).view(-1, 1, 1, 1)
    return torch.where(mirrored, flip_images(images), images).contiguous(memory_format=torch.channels_last)


def _warp(plan: AugmentationPlan, images: Tensor) -> Tensor:
    grid = separable_grid(plan.augmented_from_crop, plan.crop_size)
    return warp_images(images, *(copy_to_device(terms, images.device) for terms in grid))


def _normalise(images: Tensor, mean_rgb: MeanRgb, colour_matrix: Tensor | None) -> Tensor:
    """Return (n, 3, H, W) float32 of images (n, H, W, 3) uint8, each channel contiguous, which is the fastest to resample."""
    values = images.permute(0, 3, 1, 2).contiguous().float()
    mean = copy_to_device(torch.tensor(mean_rgb), images.device).view(3, 1)
    if colour_matrix is None:
        return values.div_(255.0).sub_(mean.unsqueeze(-1))
    matrix = copy_to_device(colour_matrix, images.device)
    recoloured = torch.baddbmm(matrix[..., 3:] - mean, matrix[..., :3] / 255.0, values.flatten(2)).view_as(values)
    for plane, channel_mean in zip(recoloured.unbind(1), mean_rgb, strict=True):
        plane.clamp_(-channel_mean, 1 - channel_mean)
    return recoloured
