"""Tests of posescope.training.augmentation.plan: images and joints are moved by the same map."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from posescope.artifacts.pose_model import normalise_images
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.geometry.warping import mirror_matrix
from posescope.training.augmentation.execution import AugmentedBatch, apply_plan
from posescope.training.augmentation.plan import AugmentationPlan, start_plan
from posescope.training.reproducibility import step_generator

SIZE = (40, 56)
MEAN = (0.4, 0.3, 0.2)
NO_MEAN = (0.0, 0.0, 0.0)
NAMES = ("nose", "left_shoulder", "right_shoulder", "neck", "left_hip", "right_hip", "left_knee", "right_knee")
BODY = Skeleton(NAMES, limbs=((3, 0),), oks_sigmas=(0.05,) * 8)
# A wrong convention would be an error of half a pixel. Marks are found by their centre of mass, whose error on 8-bit px is
# below this.
TOLERANCE_PX = 0.1
AUGMENTATIONS = {
    "flip": {"probability": 0.5},
    "rotate_scale": {"rotation_deg": 40, "scale": 0.3},
    "translate": {"probability": 0.8, "shift": 0.16},
    "half_body": {"probability": 0.8, "min_joints": 2},
    "colour_jitter": {"probability": 1.0},
}


def make_targets(count: int, size: tuple[int, int] = SIZE) -> PoseTargets:
    """Joints with a distance to the border."""
    spread = np.array([size[1], size[0]]) - 21
    joints = (np.random.default_rng(1).random((count, len(BODY), 2)) * spread + 10).astype(np.float32)
    return PoseTargets(np.arange(count), joints, np.full((count, len(BODY)), 2, dtype=np.uint8))


def marked_joints(count: int) -> Tensor:
    """Return the joint that is marked in the image of each person."""
    return torch.arange(count) % len(BODY)


def paint_marks(targets: PoseTargets, size: tuple[int, int] = SIZE) -> Tensor:
    """Return (N, H, W, 3) uint8, black with a smooth grey mark at the joint of `marked_joints`."""
    place = torch.from_numpy(targets.joints)[torch.arange(len(targets)), marked_joints(len(targets))]
    rows, columns = torch.arange(size[0]).view(-1, 1), torch.arange(size[1]).view(1, -1)
    squared = (columns - place[:, 0].view(-1, 1, 1)) ** 2 + (rows - place[:, 1].view(-1, 1, 1)) ** 2
    mark = (200 * torch.exp(-squared / 8)).round().to(torch.uint8)
    return mark.unsqueeze(-1).expand(-1, -1, -1, 3).contiguous()


def find_marks(images: Tensor) -> Tensor:
    """Return (N, 2) px, the centre of mass of px with more than half of the largest value."""
    grey = images.mean(dim=1)
    weight = (grey - 0.5 * grey.amax(dim=(1, 2), keepdim=True)).clamp(min=0)
    total = weight.sum(dim=(1, 2))
    x = (weight.sum(dim=1) * torch.arange(grey.shape[2])).sum(-1) / total
    y = (weight.sum(dim=2) * torch.arange(grey.shape[1])).sum(-1) / total
    return torch.stack([x, y], dim=-1)


def planned(targets: PoseTargets, *names: str, size: tuple[int, int] = SIZE) -> AugmentationPlan:
    generator, plan = step_generator(5, 1, 0), start_plan(targets, BODY, size)
    for name in names:
        plan = build("augmentations", ComponentSpec(name=name, options=AUGMENTATIONS[name]))(generator, plan)
    return plan


def execute(
    plan: AugmentationPlan, images: Tensor, targets: PoseTargets, mean: tuple[float, float, float] = NO_MEAN
) -> AugmentedBatch:
    return apply_plan(plan, images, torch.from_numpy(targets.joints), torch.from_numpy(targets.visibility), mean)


def test_empty_plan_changes_nothing() -> None:
    targets = make_targets(4)
    images = paint_marks(targets)
    after = execute(start_plan(targets, BODY, SIZE), images, targets, MEAN)
    assert torch.equal(after.images, normalise_images(images, MEAN))
    np.testing.assert_array_equal(after.joints, targets.joints)
    np.testing.assert_array_equal(after.visibility, targets.visibility)


@pytest.mark.parametrize("size", [SIZE, (64, 64), (96, 48)])
@pytest.mark.parametrize(
    "names",
    [
        *((name,) for name in AUGMENTATIONS),
        tuple(AUGMENTATIONS),
        tuple(reversed(AUGMENTATIONS)),
        ("translate", "flip", "half_body"),
    ],
    ids="-".join,
)
def test_marked_pixels_are_at_the_moved_joints(names: tuple[str, ...], size: tuple[int, int]) -> None:
    count = 256
    targets = make_targets(count, size)
    plan = planned(targets, *names, size=size)
    after = execute(plan, paint_marks(targets, size), targets)
    # In a flipped person the mark of the left hip is at the joint that is now the right hip.
    partner = torch.tensor(BODY.flip_indices)
    marked = marked_joints(count)
    joints = after.joints[torch.arange(count), torch.where(plan.mirrored, partner[marked], marked)]
    size_px = torch.tensor([size[1], size[0]])
    well_inside = ((joints > 9) & (joints < size_px - 10)).all(-1)
    assert well_inside.sum() > 40
    distances = (find_marks(after.images) - joints)[well_inside].norm(dim=-1)
    assert distances.max() < TOLERANCE_PX
    moved = (plan.augmented_from_crop != torch.eye(2, 3)).flatten(1).any(1)
    changed = moved | (plan.colour_matrix != torch.eye(3, 4)).flatten(1).any(1)
    assert changed.sum() > count / 8  # otherwise the test would be empty


def test_flip_is_exact_and_twice_is_the_identity() -> None:
    targets = make_targets(8)
    images = torch.randint(0, 256, (8, *SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    flip = build("augmentations", ComponentSpec(name="flip", options={"probability": 1}))
    once = flip(step_generator(0, 0, 0), start_plan(targets, BODY, SIZE))
    after = execute(once, images, targets, MEAN)
    assert torch.equal(after.images, normalise_images(images.flip(2), MEAN))
    joints, visibility = torch.from_numpy(targets.joints), torch.from_numpy(targets.visibility)
    expected = torch.stack([SIZE[1] - 1 - joints[..., 0], joints[..., 1]], dim=-1)[:, BODY.flip_indices]
    torch.testing.assert_close(after.joints, expected)
    assert torch.equal(after.visibility, visibility[:, BODY.flip_indices])
    twice = execute(flip(step_generator(0, 0, 1), once), images, targets, MEAN)
    assert torch.equal(twice.images, normalise_images(images, MEAN))
    assert torch.equal(twice.joints, joints)


def test_resampled_flip_equals_the_exact_flip() -> None:
    """Another person of the batch is rotated, so that flipped ones are resampled too."""
    targets = make_targets(2)
    images = torch.randint(0, 256, (2, *SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    matrix = torch.stack([mirror_matrix(SIZE[1]), torch.tensor([[0.9, 0.1, 0.0], [-0.1, 0.9, 3.0]], dtype=torch.float64)])
    plan = replace(start_plan(targets, BODY, SIZE), mirrored=torch.tensor([True, False]), augmented_from_crop=matrix)
    assert plan.resamples()
    after = execute(plan, images, targets, MEAN)
    torch.testing.assert_close(after.images[0], normalise_images(images, MEAN)[0].flip(-1), atol=2e-5, rtol=0)


def test_rotation_by_90_degrees_by_hand() -> None:
    centre_x, centre_y = 27.5, 19.5
    turn = torch.tensor([[[0.0, -1.0, centre_x + centre_y], [1.0, 0.0, centre_y - centre_x]]], dtype=torch.float64)
    targets = make_targets(1)
    targets.joints[0, :3] = [[centre_x + 3, centre_y], [centre_x, centre_y], [centre_x + 26, centre_y]]
    plan = start_plan(targets, BODY, SIZE).then_move(turn)
    after = execute(plan, torch.zeros(1, *SIZE, 3, dtype=torch.uint8), targets)
    assert after.joints[0, :2].tolist() == [[centre_x, centre_y + 3], [centre_x, centre_y]]
    assert torch.isnan(after.joints[0, 2]).all()  # 26 px below the centre of a crop that is 40 px high
    assert after.visibility[0, :3].tolist() == [2, 2, 0]


def test_unlabelled_joints_stay_missing_and_outside_is_the_mean_colour() -> None:
    targets = make_targets(1)
    targets.joints[0, 1], targets.visibility[0, 1] = np.nan, 0
    shift = torch.tensor([[[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]]], dtype=torch.float64)
    plan = start_plan(targets, BODY, SIZE).then_move(shift)
    after = execute(plan, torch.full((1, *SIZE, 3), 60, dtype=torch.uint8), targets, MEAN)
    assert torch.isnan(after.joints[0, 1]).all()
    assert after.visibility[0, 1] == 0
    assert after.images[..., :9].abs().max() == 0
    assert after.images[0, :, 5, 12].tolist() == pytest.approx([60 / 255 - mean for mean in MEAN], abs=1e-5)


def test_inputs_are_not_changed() -> None:
    targets = make_targets(2)
    images, joints, visibility = paint_marks(targets), targets.joints.copy(), targets.visibility.copy()
    before = images.clone()
    execute(planned(targets, *AUGMENTATIONS), images, targets, MEAN)
    assert torch.equal(images, before)
    np.testing.assert_array_equal(targets.joints, joints)
    np.testing.assert_array_equal(targets.visibility, visibility)


@pytest.mark.parametrize("factor", [2, 9])
def test_colour_maps_are_clipped_to_0_and_1(factor: int) -> None:
    targets = make_targets(1)
    plan = start_plan(targets, BODY, SIZE)
    brighter = replace(plan, colour_matrix=factor * plan.colour_matrix)
    values = execute(brighter, torch.full((1, *SIZE, 3), 75, dtype=torch.uint8), targets, MEAN).images
    values = values + torch.tensor(MEAN).view(1, 3, 1, 1)
    assert values.mean().item() == pytest.approx(min(1.0, factor * 75 / 255), abs=1e-5)
    assert math.isclose(values.std().item(), 0.0, abs_tol=1e-6)
