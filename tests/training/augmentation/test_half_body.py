"""Tests of posescope.training.augmentation.half_body."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from posescope.core.records import PoseTargets
from posescope.core.skeleton import COCO_PERSON, Skeleton, skeleton_from_category
from posescope.training.augmentation.execution import apply_plan
from posescope.training.augmentation.half_body import HalfBody, HalfBodyOptions, find_body_halves
from posescope.training.augmentation.plan import AugmentationPlan, start_plan
from posescope.training.augmentation.transforms import Flip, FlipOptions, Translate, TranslateOptions
from posescope.training.reproducibility import step_generator

SIZE = (100, 100)
UPPER, LOWER = slice(0, 11), slice(11, 17)


def standing(count: int = 1) -> PoseTargets:
    """Upper joints between (40, 10) and (60, 30), lower ones between (40, 50) and (60, 90)."""
    joints = np.zeros((count, 17, 2), dtype=np.float32)
    joints[:, UPPER] = np.stack([np.linspace(40, 60, 11), np.linspace(10, 30, 11)], axis=1)
    joints[:, LOWER] = np.stack([np.linspace(40, 60, 6), np.linspace(50, 90, 6)], axis=1)
    return PoseTargets(np.arange(count), joints, np.full((count, 17), 2, dtype=np.uint8))


def plan_half(targets: PoseTargets, skeleton: Skeleton = COCO_PERSON, **options: Any) -> AugmentationPlan:
    component = HalfBody(HalfBodyOptions.model_validate({"probability": 1, **options}))
    return component(step_generator(0, 0, 0), start_plan(targets, skeleton, SIZE))


def unlabel(targets: PoseTargets, joints: slice | NDArray[np.int64]) -> PoseTargets:
    targets.joints[:, joints], targets.visibility[:, joints] = np.nan, 0
    return targets


def is_identity(plan: AugmentationPlan) -> bool:
    return torch.equal(plan.augmented_from_crop, torch.eye(2, 3, dtype=torch.float64).expand_as(plan.augmented_from_crop))


def test_upper_half_by_hand() -> None:
    matrix = plan_half(standing(), upper_probability=1, max_zoom=10).augmented_from_crop[0]
    # The box is 20 px wide and high: 1.5 x 20 = 30 px fill 100 px. Its middle (50, 20) is mapped to (49.5, 49.5).
    zoom = 100 / 30
    expected = torch.tensor([[zoom, 0, 49.5 - zoom * 50], [0, zoom, 49.5 - zoom * 20]], dtype=torch.float64)
    torch.testing.assert_close(matrix, expected)


def test_lower_half_by_hand() -> None:
    matrix = plan_half(standing(), upper_probability=0).augmented_from_crop[0]
    zoom = 100 / 60  # the box is 40 px high
    expected = torch.tensor([[zoom, 0, 49.5 - zoom * 50], [0, zoom, 49.5 - zoom * 70]], dtype=torch.float64)
    torch.testing.assert_close(matrix, expected)


def test_zoom_is_bounded() -> None:
    assert plan_half(standing(), upper_probability=1).augmented_from_crop[0, 0, 0] == 2.0


def test_joints_outside_the_crop_are_removed() -> None:
    targets = standing()
    plan = plan_half(targets, upper_probability=1)
    images = torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    after = apply_plan(plan, images, torch.from_numpy(targets.joints), torch.from_numpy(targets.visibility), (0, 0, 0))
    assert (after.visibility[0, UPPER] == 2).all()
    assert after.visibility[0, LOWER].sum() == 0  # from 30 px below the centre they move to 60 px and more
    assert torch.isnan(after.joints[0, LOWER]).all()


def test_half_of_the_joints_is_not_enough() -> None:
    assert not is_identity(plan_half(unlabel(standing(), slice(9, 17))))  # 9 of 17, more than half
    assert is_identity(plan_half(unlabel(standing(), slice(8, 17))))


def test_half_with_too_few_joints_is_not_chosen() -> None:
    without_legs = plan_half(unlabel(standing(), slice(13, 17)), upper_probability=0)
    upper = plan_half(standing(), upper_probability=1)
    assert torch.equal(without_legs.augmented_from_crop, upper.augmented_from_crop)


def test_joints_outside_after_an_earlier_map_do_not_count() -> None:
    targets = standing()
    shift = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, -45.0]]], dtype=torch.float64)
    shifted = start_plan(targets, COCO_PERSON, SIZE).then_move(shift)
    plan = HalfBody(HalfBodyOptions(probability=1, min_labelled_fraction=0.2, upper_probability=1))(
        step_generator(0, 0, 0), shifted
    )
    centre = torch.tensor([50.0, 25.0], dtype=torch.float64)  # of the lower half after the shift
    torch.testing.assert_close(plan.moved_joints()[0, LOWER].mean(dim=0), torch.tensor([49.5, 49.5], dtype=torch.float64))
    torch.testing.assert_close(shifted.moved_joints()[0, LOWER].mean(dim=0), centre)


def test_flipped_person_keeps_its_halves() -> None:
    flipped = Flip(FlipOptions(probability=1))(step_generator(0, 0, 0), start_plan(standing(), COCO_PERSON, SIZE))
    plan = HalfBody(HalfBodyOptions(probability=1, upper_probability=0))(step_generator(0, 0, 0), flipped)
    torch.testing.assert_close(plan.moved_joints()[0, LOWER].mean(dim=0), torch.tensor([49.5, 49.5], dtype=torch.float64))
    assert plan.mirrored.all()


def test_upper_probability_is_the_fraction_of_upper_halves() -> None:
    plan = plan_half(standing(1000), upper_probability=0.7)
    upper = plan.augmented_from_crop[:, 0, 0] == 2.0
    assert upper.double().mean().item() == pytest.approx(0.7, abs=0.05)


def test_skeleton_without_halves_is_unchanged_and_samples_the_same_numbers() -> None:
    nameless = Skeleton(tuple(f"p{index}" for index in range(17)), limbs=(), oks_sigmas=(0.05,) * 17)
    shifts = []
    for skeleton in (nameless, COCO_PERSON):
        generator, plan = step_generator(3, 0, 0), start_plan(unlabel(standing(), slice(0, 17)), skeleton, SIZE)
        plan = HalfBody(HalfBodyOptions(probability=1))(generator, plan)
        assert is_identity(plan)
        shifts.append(Translate(TranslateOptions(probability=1))(generator, plan).augmented_from_crop)
    assert torch.equal(*shifts)


def test_no_persons() -> None:
    assert len(plan_half(standing(0))) == 0


def skeleton(*names: str, limbs: tuple[tuple[int, int], ...] = ()) -> Skeleton:
    return Skeleton(joints=names, limbs=limbs, oks_sigmas=(0.05,) * len(names))


def test_halves_of_coco_are_the_published_ones() -> None:
    halves = find_body_halves(COCO_PERSON)
    assert halves.upper == tuple(range(11))  # nose to wrists
    assert halves.lower == tuple(range(11, 17))  # hips, knees, ankles


LSPET = [
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
]  # fmt: skip


def test_halves_of_lspet() -> None:
    halves = find_body_halves(skeleton(*LSPET))
    assert halves.lower == (0, 1, 2, 3, 4, 5)
    assert halves.upper == (6, 7, 8, 9, 10, 11, 12, 13)


def test_joint_names_are_those_of_lspet(real_data: Path) -> None:
    content = json.loads((real_data / "lspet" / "annotations" / "person_keypoints_val.json").read_text())
    assert skeleton_from_category(content["categories"][0]).joints == tuple(LSPET)


@pytest.mark.parametrize(
    "name", ["RKnee", "lknee", "leftknee", "LEFT_KNEE", "r_knee", "knees", "knee2", "left_foot_index", "upper_leg"]
)
def test_spellings_of_lower_joints(name: str) -> None:
    assert find_body_halves(skeleton("nose", name)).lower == (1,)


@pytest.mark.parametrize("name", ["LHand", "rshoulder", "leftEar", "eyes", "left_middle_finger_1", "lower_arm", "Neck"])
def test_spellings_of_upper_joints(name: str) -> None:
    assert find_body_halves(skeleton("pelvis", name)).upper == (1,)


def test_name_without_a_word_follows_its_limbs() -> None:
    """neck - tie - spine - pelvis - tail, and an unconnected joint."""
    names = ("neck", "tie", "spine", "pelvis", "tail", "hat")
    halves = find_body_halves(skeleton(*names, limbs=((0, 1), (0, 2), (2, 3), (3, 4))))
    assert halves.upper == (0, 1)
    assert halves.lower == (3, 4)  # the spine is equally near to both halves, the hat is unconnected


def test_unknown_names_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    unnamed = skeleton("p0", "p1", "p2", limbs=((0, 1), (1, 2)))
    with caplog.at_level(logging.WARNING):
        assert not find_body_halves(unnamed)
        assert not find_body_halves(unnamed)
    assert caplog.text.count("p0, p1, p2") == 1


def test_one_half_without_the_other_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not find_body_halves(skeleton("left_wrist", "left_thumb"))
    assert "lower" in caplog.text
