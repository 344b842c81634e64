"""Tests of posescope.training.augmentation.execution."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from posescope.artifacts.pose_model import normalise_images
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.training.augmentation.execution import AugmentedBatch, apply_plan
from posescope.training.augmentation.plan import AugmentationPlan, start_plan

IMAGES = torch.randint(0, 256, (5, 6, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MEAN = (0.4, 0.3, 0.2)
NOSE = Skeleton(("nose",), (), (0.1,))


def make_plan(count: int) -> AugmentationPlan:
    targets = PoseTargets(np.arange(count), np.ones((count, 1, 2), np.float32), np.full((count, 1), 2, np.uint8))
    return start_plan(targets, NOSE, (6, 4))


def execute(plan: AugmentationPlan, images: Tensor) -> AugmentedBatch:
    return apply_plan(plan, images, plan.joints.float(), plan.visibility, MEAN)


def test_plan_without_changes_equals_normalise_images_bit_by_bit() -> None:
    assert torch.equal(execute(make_plan(5), IMAGES).images, normalise_images(IMAGES, MEAN))


def test_colour_map_per_person_is_clipped_to_0_and_1() -> None:
    colour = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))
    values = torch.cat([IMAGES / 255.0, torch.ones(5, 6, 4, 1)], dim=-1)
    expected = torch.einsum("ncv,nhwv->nchw", colour, values).clamp(0, 1) - torch.tensor(MEAN).view(3, 1, 1)
    made = execute(replace(make_plan(5), colour_matrix=colour), IMAGES).images
    torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)
    assert ((made + torch.tensor(MEAN).view(3, 1, 1)) <= 1 + 1e-6).all()


def test_no_persons() -> None:
    assert execute(make_plan(0), IMAGES[:0]).images.shape == (0, 3, 6, 4)


def test_weights_change_sides_with_the_joints_of_a_mirrored_person() -> None:
    hands = Skeleton(("nose", "left_hand", "right_hand"), (), (0.1, 0.1, 0.1))
    targets = PoseTargets(np.arange(2), np.ones((2, 3, 2), np.float32), np.full((2, 3), 2, np.uint8))
    plan = replace(start_plan(targets, hands, (6, 4)), mirrored=torch.tensor([False, True]))
    weights = torch.tensor([[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]])
    made = apply_plan(plan, IMAGES[:2], plan.joints.float(), plan.visibility, MEAN, weights)
    assert made.weights is not None
    assert made.weights.tolist() == [[1, 0, 2], [1, 2, 0]]
    assert execute(plan, IMAGES[:2]).weights is None
