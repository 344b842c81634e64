"""What shall happen to the persons of a batch, and doing it: once, on the device, whatever the number of augmentations.

    start_plan ─ augmentation ─ augmentation ─> plan ─ apply_plan ─> images, joints, visibility

A plan holds one affine map and one colour map a person, so several augmentations cost one resampling, and images and joints
are moved by the same matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Generator, Tensor

from posescope.geometry.batch import apply_affine_batch, compose_affine_batch, lies_inside, warp_images

__all__ = ["AugmentedBatch", "Augmentation", "AugmentationPlan", "apply_plan", "start_plan"]


@dataclass(frozen=True)
class AugmentationPlan:
    """What shall happen to N persons; all tensors are on the CPU.

    Attributes:
        crop_size: (height, width) px.
        augmented_from_crop: (N, 2, 3) float64 px.
        mirrored: (N,) bool: left and right joints change names.
        colour: (N, 3, 4) float32: [R' G' B'] = colour @ [R G B 1], values 0..1.
    """

    crop_size: tuple[int, int]
    augmented_from_crop: Tensor
    mirrored: Tensor
    colour: Tensor

    def __len__(self) -> int:
        return len(self.mirrored)

    def then_move(self, matrix: Tensor) -> "AugmentationPlan":
        """The plan with a further affine map (N, 2, 3) after the ones that it has."""
        return replace(self, augmented_from_crop=compose_affine_batch(matrix, self.augmented_from_crop))


@dataclass(frozen=True)
class AugmentedBatch:
    """N persons after a plan.

    Attributes:
        images: (N, 3, H, W) float32, mean RGB subtracted; the mean colour (0) where the crop had nothing.
        joints: (N, K, 2) float32 crop px, NaN where unlabelled or moved out of the crop.
        visibility: (N, K) uint8, 0 where so.
    """

    images: Tensor
    joints: Tensor
    visibility: Tensor


class Augmentation(Protocol):
    """Component contract: `augmentation(options)(generator, plan) -> plan`; N is `len(plan)`."""

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """A new plan; random numbers are drawn from `generator` alone."""
        ...


def start_plan(count: int, crop_size: tuple[int, int]) -> AugmentationPlan:
    """The plan that changes nothing for `count` persons."""
    identity = torch.eye(2, 3, dtype=torch.float64).expand(count, 2, 3)
    return AugmentationPlan(crop_size, identity, torch.zeros(count, dtype=torch.bool), torch.eye(3, 4).expand(count, 3, 4))


def apply_plan(
    plan: AugmentationPlan,
    images: Tensor,
    joints: Tensor,
    visibility: Tensor,
    flip_indices: Sequence[int],
    mean_rgb: tuple[float, float, float],
) -> AugmentedBatch:
    """Carry a plan out on the device where the images are.

    Args:
        plan: of the same N persons.
        images: (N, 3, H, W) float32, mean RGB subtracted.
        joints: (N, K, 2) float32 crop px, NaN where unlabelled.
        visibility: (N, K) uint8.
        flip_indices: K indices, `Skeleton.flip_indices`.
        mean_rgb: 0..1, that was subtracted.
    """
    matrix = plan.augmented_from_crop.to(images.device)
    coloured = _recolour(images, plan.colour.to(images.device), mean_rgb)
    moved = apply_affine_batch(matrix, joints.double()).to(joints.dtype)
    partner = torch.as_tensor(flip_indices, device=images.device)
    mirrored = plan.mirrored.to(images.device).view(-1, 1)
    moved = torch.where(mirrored.unsqueeze(-1), moved[:, partner], moved)
    seen = torch.where(mirrored, visibility[:, partner], visibility)
    gone = ~lies_inside(moved, plan.crop_size)
    return AugmentedBatch(
        images=warp_images(coloured, matrix),
        joints=moved.masked_fill(gone.unsqueeze(-1), torch.nan),
        visibility=seen.masked_fill(gone, 0),
    )


def _recolour(images: Tensor, colour: Tensor, mean_rgb: tuple[float, float, float]) -> Tensor:
    mean = torch.tensor(mean_rgb, device=images.device).view(1, 3, 1, 1)
    values = torch.einsum("nij,njhw->nihw", colour[..., :3], images + mean) + colour[..., 3, None, None]
    recoloured: Tensor = values.clamp(0, 1) - mean
    return recoloured
