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
        weights: (N, K) float32, factor of each joint in the loss. None: 1 for all.
    """

    images: Tensor
    joints: Tensor
    visibility: Tensor
    weights: Tensor | None = None


def apply_plan(
    plan: AugmentationPlan,
    images: Tensor,
    joints: Tensor,
    visibility: Tensor,
    mean_rgb: MeanRgb,
    weights: Tensor | None = None,
) -> AugmentedBatch:
    """Augment N persons on the device of their images.

    Args:
        plan: plan of the same N persons.
        images: (N, H, W, 3) uint8 RGB.
        joints: (N, K, 2) float32 crop px, NaN where unlabelled.
        visibility: (N, K) uint8.
        mean_rgb: mean RGB to subtract, 0..1.
        weights: (N, K) factor of each joint in the loss, exchanged with the joints where a person is mirrored. None: 1 for all.
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
        weights=None if weights is None else torch.where(mirrored, weights[:, partner], weights),
    )


def _augment_images(plan: AugmentationPlan, images: Tensor, mean_rgb: MeanRgb) -> Tensor:
    """Return the images (N, 3, H, W) of a plan."""
    device, resamples, (count, height, width, channels) = images.device, plan.resamples(), images.shape
    terms_of_grid = separable_grid(plan.augmented_from_crop, plan.crop_size) if resamples else ()
    grid = [copy_to_device(terms, device) for terms in terms_of_grid]
    mirrored = copy_to_device(plan.mirrored, device).view(-1, 1, 1, 1)
    colours = copy_to_device(plan.colour_matrix, device) if plan.recolours() else None
    layout = torch.contiguous_format if resamples else torch.channels_last
    augmented = torch.empty(count, channels, height, width, device=device, memory_format=layout)
    size = _CPU_BLOCK if device.type == "cpu" else max(count, 1)
    for first in range(0, count, size):
        persons = slice(first, first + size)
        values = _normalise(images[persons], mean_rgb, None if colours is None else colours[persons])
        if resamples:
            augmented[persons] = warp_images(values, *(terms[persons] for terms in grid))
        else:
            augmented[persons] = torch.where(mirrored[persons], flip_images(values), values)
    return augmented


def _normalise(images: Tensor, mean_rgb: MeanRgb, colour_matrix: Tensor | None) -> Tensor:
    """Return (n, 3, H, W) float32 of images (n, H, W, 3) uint8, each channel contiguous, which is the fastest to resample."""
    values = images.permute(0, 3, 1, 2).contiguous().float()
    mean = copy_to_device(torch.tensor(mean_rgb), images.device).view(3, 1)
    if colour_matrix is None:
        return values.div_(255.0).sub_(mean.unsqueeze(-1))
    offsets, factors = colour_matrix[..., 3:] - mean, colour_matrix[..., :3] / 255.0
    recoloured = torch.baddbmm(offsets, factors, values.flatten(2)).view_as(values)
    for plane, channel_mean in zip(recoloured.unbind(1), mean_rgb, strict=True):
        plane.clamp_(-channel_mean, 1 - channel_mean)
    return recoloured
