"""Tests of posescope.training.plan: images and joints move together."""

import math

import pytest
import torch
from torch import Tensor

from posescope.plugins import ComponentSpec, build
from posescope.training.plan import AugmentationPlan, apply_plan, start_plan
from posescope.training.reproducible import step_generator

SIZE = (40, 56)
FLIP = (0, 2, 1)
MEAN = (0.4, 0.3, 0.2)
NO_MEAN = (0.0, 0.0, 0.0)


def make_marks(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Black images in which each colour channel has one smooth white mark, and the places of these marks."""
    joints = torch.rand(count, 3, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([30.0, 18.0]) + 12
    rows, columns = torch.arange(SIZE[0]).view(-1, 1), torch.arange(SIZE[1]).view(1, -1)
    squared = (columns - joints[..., 0, None, None]) ** 2 + (rows - joints[..., 1, None, None]) ** 2
    return torch.exp(-squared / 8), joints, torch.full((count, 3), 2, dtype=torch.uint8)


def centres_of_mass(images: Tensor) -> Tensor:
    total = images.sum(dim=(2, 3))
    x = (images.sum(dim=2) * torch.arange(SIZE[1])).sum(-1) / total
    y = (images.sum(dim=3) * torch.arange(SIZE[0])).sum(-1) / total
    return torch.stack([x, y], dim=-1)


def planned(count: int, *specs: ComponentSpec) -> AugmentationPlan:
    generator, plan = step_generator(5, 1, 0), start_plan(count, SIZE)
    for spec in specs:
        plan = build("augmentations", spec)(generator, plan)
    return plan


def test_the_empty_plan_changes_nothing() -> None:
    images, joints, visibility = make_marks(4)
    after = apply_plan(start_plan(4, SIZE), images, joints, visibility, FLIP, NO_MEAN)
    torch.testing.assert_close(after.images, images, atol=1e-5, rtol=0)
    torch.testing.assert_close(after.joints, joints)
    assert torch.equal(after.visibility, visibility)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_marked_pixels_land_on_the_moved_joints(order: tuple[int, int]) -> None:
    specs = (
        ComponentSpec(name="flip", options={"probability": 0.5}),
        ComponentSpec(name="rotate_scale", options={"rotation_deg": 40, "scale": 0.3, "translation": 0.1}),
    )
    images, joints, visibility = make_marks(64)
    plan = planned(64, *(specs[index] for index in order))
    after = apply_plan(plan, images, joints, visibility, FLIP, NO_MEAN)
    # In a mirrored person the green mark is the left hand's, which is now called the right hand.
    found = centres_of_mass(after.images)
    found = torch.where(plan.mirrored.view(-1, 1, 1), found[:, list(FLIP)], found)
    well_inside = ((after.joints > 8) & (after.joints < torch.tensor([SIZE[1] - 9, SIZE[0] - 9]))).all(-1)
    assert 0 < plan.mirrored.sum() < 64
    assert well_inside.sum() > 100
    assert (found - after.joints)[well_inside].norm(dim=-1).max() < 0.05


def test_a_quarter_turn_by_hand() -> None:
    plan = start_plan(1, SIZE)
    centre_x, centre_y = 27.5, 19.5
    turn = torch.tensor([[[0.0, -1.0, centre_x + centre_y], [1.0, 0.0, centre_y - centre_x]]], dtype=torch.float64)
    joints = torch.tensor([[[centre_x + 3, centre_y], [centre_x, centre_y], [centre_x + 26, centre_y]]])
    visible = torch.full((1, 3), 2, dtype=torch.uint8)
    after = apply_plan(plan.then_move(turn), torch.zeros(1, 3, *SIZE), joints, visible, FLIP, MEAN)
    assert after.joints[0, :2].tolist() == [[centre_x, centre_y + 3], [centre_x, centre_y]]
    assert torch.isnan(after.joints[0, 2]).all()  # 26 px below the centre of a crop that is 40 px high
    assert after.visibility.tolist() == [[2, 2, 0]]


def test_unlabelled_joints_stay_so_and_outside_is_the_mean_colour() -> None:
    images = torch.full((1, 3, *SIZE), 0.25)
    joints = torch.tensor([[[5.0, 5.0], [torch.nan, torch.nan], [6.0, 6.0]]])
    shift = torch.tensor([[[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]]], dtype=torch.float64)
    after = apply_plan(
        start_plan(1, SIZE).then_move(shift), images, joints, torch.tensor([[1, 0, 2]], dtype=torch.uint8), FLIP, MEAN
    )
    assert torch.isnan(after.joints[0, 1]).all()
    assert after.visibility.tolist() == [[1, 0, 2]]
    assert after.images[..., :9].abs().max() == 0


def test_inputs_are_left_alone() -> None:
    images, joints, visibility = make_marks(2)
    copies = images.clone(), joints.clone(), visibility.clone()
    specs = [ComponentSpec(name=name) for name in ("flip", "rotate_scale", "colour")]
    apply_plan(planned(2, *specs), images, joints, visibility, FLIP, MEAN)
    assert all(torch.equal(now, before) for now, before in zip((images, joints, visibility), copies, strict=True))


def test_colour_maps_act_on_values_between_black_and_white() -> None:
    plan = start_plan(1, SIZE)
    doubled = AugmentationPlan(SIZE, plan.augmented_from_crop, plan.mirrored, 2 * plan.colour)
    grey = torch.full((1, 3, *SIZE), 0.3) - torch.tensor(MEAN).view(1, 3, 1, 1)
    values = apply_plan(doubled, grey, *make_marks(1)[1:], FLIP, MEAN).images + torch.tensor(MEAN).view(1, 3, 1, 1)
    assert values[..., 5:-5, 5:-5].mean().item() == pytest.approx(0.6, abs=1e-5)
    brighter = AugmentationPlan(SIZE, plan.augmented_from_crop, plan.mirrored, 9 * plan.colour)
    clipped = apply_plan(brighter, grey, *make_marks(1)[1:], FLIP, MEAN).images + torch.tensor(MEAN).view(1, 3, 1, 1)
    assert math.isclose(clipped.max().item(), 1.0, abs_tol=1e-5)
