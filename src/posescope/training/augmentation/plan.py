"""What shall happen to the persons of a batch, and doing it: once, on the device, whatever the number of augmentations.

    start_plan ─ augmentation ─ augmentation ─> plan ─ apply_plan ─> images, joints, visibility

A plan holds one affine map and one colour map a person, so several augmentations cost one resampling, and images and joints
are moved by the same matrix. A plan that only mirrors resamples nothing: its images are exact.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Generator, Tensor

from posescope.artifacts.devices import copy_to_device
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.geometry.flips import flip_images
from posescope.geometry.warping import (
    SeparableGrid,
    apply_affine_batch,
    compose_affine_batch,
    lies_inside,
    mirror_matrix,
    warp_images,
)
from posescope.training.augmentation.execution import ImageNormaliser
from posescope.training.chunking import fill_in_chunks

__all__ = ["AugmentedBatch", "Augmentation", "AugmentationPlan", "apply_plan", "start_plan"]


@dataclass(frozen=True)
class AugmentationPlan:
    """What shall happen to N persons; all tensors are on the CPU.

    Attributes:
        crop_size: (height, width) px.
        skeleton: names the joints.
        joints: (N, K, 2) float64 crop px, before the plan; NaN where unlabelled.
        visibility: (N, K) uint8, before the plan.
        augmented_from_crop: (N, 2, 3) float64 px.
        mirrored: (N,) bool: left and right joints change names.
        colour: (N, 3, 4) float32: [R' G' B'] = colour @ [R G B 1], values 0..1.
    """

    crop_size: tuple[int, int]
    skeleton: Skeleton
    joints: Tensor
    visibility: Tensor
    augmented_from_crop: Tensor
    mirrored: Tensor
    colour: Tensor

    def __len__(self) -> int:
        return len(self.mirrored)

    def then_move(self, matrix: Tensor) -> "AugmentationPlan":
        """The plan with a further affine map (N, 2, 3) after the ones that it has."""
        return replace(self, augmented_from_crop=compose_affine_batch(matrix, self.augmented_from_crop))

    def part(self, persons: slice) -> "AugmentationPlan":
        """The plan of some of the persons."""
        return replace(
            self,
            joints=self.joints[persons],
            visibility=self.visibility[persons],
            augmented_from_crop=self.augmented_from_crop[persons],
            mirrored=self.mirrored[persons],
            colour=self.colour[persons],
        )

    def moved_joints(self) -> Tensor:
        """(N, K, 2) float64 px: where the joints are by now, under the names that they had at first; maybe outside the crop."""
        return apply_affine_batch(self.augmented_from_crop, self.joints)

    def resamples(self) -> bool:
        """Whether anybody is moved otherwise than by a plain mirror image."""
        whole = torch.stack([torch.eye(2, 3, dtype=torch.float64), mirror_matrix(self.crop_size[1])])
        return not torch.equal(self.augmented_from_crop, whole[self.mirrored.long()])

    def recolours(self) -> bool:
        """Whether anybody's colours change."""
        return not torch.equal(self.colour, torch.eye(3, 4).expand_as(self.colour))


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


def start_plan(targets: PoseTargets, skeleton: Skeleton, crop_size: tuple[int, int]) -> AugmentationPlan:
    """The plan that changes nothing for these persons."""
    count = len(targets)
    return AugmentationPlan(
        crop_size=crop_size,
        skeleton=skeleton,
        joints=torch.from_numpy(targets.joints).double(),
        visibility=torch.from_numpy(targets.visibility),
        augmented_from_crop=torch.eye(2, 3, dtype=torch.float64).expand(count, 2, 3),
        mirrored=torch.zeros(count, dtype=torch.bool),
        colour=torch.eye(3, 4).expand(count, 3, 4),
    )


def apply_plan(
    plan: AugmentationPlan, images: Tensor, joints: Tensor, visibility: Tensor, mean_rgb: tuple[float, float, float]
) -> AugmentedBatch:
    """Carry a plan out on the device where the images are.

    Args:
        plan: of the same N persons.
        images: (N, H, W, 3) uint8 RGB.
        joints: (N, K, 2) float32 crop px, NaN where unlabelled.
        visibility: (N, K) uint8.
        mean_rgb: 0..1, is subtracted.
    """
    moved = apply_affine_batch(copy_to_device(plan.augmented_from_crop, joints.device), joints.double()).to(joints.dtype)
    partner = copy_to_device(torch.as_tensor(plan.skeleton.flip_indices), joints.device)
    mirrored = copy_to_device(plan.mirrored, joints.device).view(-1, 1)
    moved = torch.where(mirrored.unsqueeze(-1), moved[:, partner], moved)
    seen = torch.where(mirrored, visibility[:, partner], visibility)
    gone = ~lies_inside(moved, plan.crop_size)
    return AugmentedBatch(
        images=_move_images(plan, images, mean_rgb) if plan.resamples() else _mirror_images(plan, images, mean_rgb),
        joints=moved.masked_fill(gone.unsqueeze(-1), torch.nan),
        visibility=seen.masked_fill(gone, 0),
    )


def _mirror_images(plan: AugmentationPlan, images: Tensor, mean_rgb: tuple[float, float, float]) -> Tensor:
    planes, mirrored = _colour_planes(plan, images, mean_rgb), copy_to_device(plan.mirrored, images.device).view(-1, 1, 1, 1)

    def make(part: slice) -> Tensor:
        values = planes.make(images[part], part)
        return torch.where(mirrored[part], flip_images(values), values)

    return fill_in_chunks(images, make, torch.channels_last)


def _move_images(plan: AugmentationPlan, images: Tensor, mean_rgb: tuple[float, float, float]) -> Tensor:
    planes = _colour_planes(plan, images, mean_rgb)
    lines = SeparableGrid.of(plan.augmented_from_crop, plan.crop_size)
    lines = SeparableGrid(copy_to_device(lines.by_column, images.device), copy_to_device(lines.by_row, images.device))

    def make(part: slice) -> Tensor:
        return warp_images(planes.make(images[part], part), lines.part(part))

    return fill_in_chunks(images, make, torch.contiguous_format)


def _colour_planes(plan: AugmentationPlan, images: Tensor, mean_rgb: tuple[float, float, float]) -> ImageNormaliser:
    colour = copy_to_device(plan.colour, images.device) if plan.recolours() else None
    return ImageNormaliser(colour, mean_rgb, images.device)
