"""Augmentation plan of a batch: one affine map and one linear colour map per person, to which each augmentation adds.

    start_plan ─ augmentation ─ augmentation ─> plan ─ execution.apply_plan ─> images, joints, visibility

Several augmentations cost one resampling, and images and joints are moved by the same matrix.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Generator, Tensor

from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.geometry.warping import apply_affine_batch, compose_affine_batch, mirror_matrix

__all__ = ["Augmentation", "AugmentationPlan", "start_plan"]


@dataclass(frozen=True)
class AugmentationPlan:
    """Planned augmentation of N persons; all tensors are on the CPU.

    Attributes:
        crop_size: (height, width) px.
        skeleton: names of the joints.
        joints: (N, K, 2) float64 crop px before the augmentation, NaN where unlabelled.
        visibility: (N, K) uint8 before the augmentation.
        augmented_from_crop: (N, 2, 3) float64 px.
        mirrored: (N,) bool, whether left and right joints are exchanged.
        colour_matrix: (N, 3, 4) float32: [R' G' B'] = colour_matrix @ [R G B 1], values 0..1.
    """

    crop_size: tuple[int, int]
    skeleton: Skeleton
    joints: Tensor
    visibility: Tensor
    augmented_from_crop: Tensor
    mirrored: Tensor
    colour_matrix: Tensor

    def __len__(self) -> int:
        return len(self.mirrored)

    def then_move(self, matrix: Tensor) -> "AugmentationPlan":
        """Return the plan with a further affine map (N, 2, 3) after the present one."""
        return replace(self, augmented_from_crop=compose_affine_batch(matrix, self.augmented_from_crop))

    def part(self, persons: slice) -> "AugmentationPlan":
        """Return the plan of some of the persons."""
        return replace(
            self,
            joints=self.joints[persons],
            visibility=self.visibility[persons],
            augmented_from_crop=self.augmented_from_crop[persons],
            mirrored=self.mirrored[persons],
            colour_matrix=self.colour_matrix[persons],
        )

    def moved_joints(self) -> Tensor:
        """Return (N, K, 2) float64 px after the present map, maybe outside the crop; left and right are not exchanged."""
        return apply_affine_batch(self.augmented_from_crop, self.joints)

    def resamples(self) -> bool:
        """Return whether the map of any person is other than the identity or a flip."""
        exact = torch.stack([torch.eye(2, 3, dtype=torch.float64), mirror_matrix(self.crop_size[1])])
        return not torch.equal(self.augmented_from_crop, exact[self.mirrored.long()])

    def recolours(self) -> bool:
        """Return whether the colours of any person change."""
        return not torch.equal(self.colour_matrix, torch.eye(3, 4).expand_as(self.colour_matrix))


class Augmentation(Protocol):
    """Contract of the components of `posescope.augmentations`: `augmentation(options)(generator, plan) -> plan`."""

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """Return a new plan.

        Args:
            generator: CPU generator, the only source of random numbers: the same on all devices and after a resumption.
            plan: the plan so far, of `len(plan)` persons.
        """
        ...


def start_plan(targets: PoseTargets, skeleton: Skeleton, crop_size: tuple[int, int]) -> AugmentationPlan:
    """Return the plan that changes nothing.

    Args:
        targets: joints and visibility of N persons.
        skeleton: skeleton of the targets.
        crop_size: (height, width) px.
    """
    count = len(targets)
    return AugmentationPlan(
        crop_size=crop_size,
        skeleton=skeleton,
        joints=torch.from_numpy(targets.joints).double(),
        visibility=torch.from_numpy(targets.visibility),
        augmented_from_crop=torch.eye(2, 3, dtype=torch.float64).expand(count, 2, 3),
        mirrored=torch.zeros(count, dtype=torch.bool),
        colour_matrix=torch.eye(3, 4).expand(count, 3, 4),
    )
