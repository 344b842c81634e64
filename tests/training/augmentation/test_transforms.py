"""Tests of posescope.training.augmentation.transforms."""

import math

import numpy as np
import pytest
import torch

from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import COCO_PERSON
from posescope.training.augmentation.plan import AugmentationPlan, start_plan
from posescope.training.augmentation.transforms import (
    ColourJitter,
    ColourJitterOptions,
    Flip,
    FlipOptions,
    RotateScale,
    RotateScaleOptions,
    Translate,
    TranslateOptions,
)
from posescope.training.reproducibility import step_generator

SIZE = (32, 48)
COUNT = 400


def start(count: int) -> AugmentationPlan:
    """Plan of persons whose joints are all labelled and in the crop."""
    joints = np.random.default_rng(0).uniform(4, 28, size=(count, len(COCO_PERSON), 2)).astype(np.float32)
    targets = PoseTargets(np.arange(count), joints, np.full((count, len(COCO_PERSON)), 2, dtype=np.uint8))
    return start_plan(targets, COCO_PERSON, SIZE)


def test_flip_by_hand_and_twice_is_the_identity() -> None:
    flip = Flip(FlipOptions(probability=1.0))
    once = flip(step_generator(0, 0, 0), start(1))
    assert once.augmented_from_crop[0].tolist() == [[-1, 0, 47], [0, 1, 0]]
    assert once.mirrored.tolist() == [True]
    twice = flip(step_generator(0, 0, 0), once)
    assert twice.augmented_from_crop[0].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert twice.mirrored.tolist() == [False]


def test_rotations_and_scales_cover_their_ranges_about_the_centre() -> None:
    options = RotateScaleOptions(rotation_deg=30, scale=0.25)
    matrix = RotateScale(options)(step_generator(1, 1, 1), start(COUNT)).augmented_from_crop
    scale = torch.linalg.det(matrix[..., :2]).sqrt()
    angle = torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    centre = torch.tensor([23.5, 15.5], dtype=torch.float64)
    torch.testing.assert_close(matrix[..., :2] @ centre + matrix[..., 2], centre.expand(COUNT, 2))
    for values, largest in ((scale - 1, 0.25), (angle, 30.0)):
        assert 0.95 * largest < values.abs().max() <= largest + 1e-9
        assert abs(values.mean()) < 0.1 * largest


def test_shifts_cover_their_ranges_without_rotation() -> None:
    plan = Translate(TranslateOptions(probability=1, shift=0.1))(step_generator(1, 1, 1), start(COUNT))
    assert torch.equal(plan.augmented_from_crop[..., :2], torch.eye(2, dtype=torch.float64).expand(COUNT, 2, 2))
    for values, largest in ((plan.augmented_from_crop[:, 0, 2], 4.8), (plan.augmented_from_crop[:, 1, 2], 3.2)):
        assert 0.95 * largest < values.abs().max() <= largest
        assert abs(values.mean()) < 0.1 * largest


@pytest.mark.parametrize("name", ["flip", "rotate_scale", "translate", "half_body", "colour_jitter"])
def test_probability_is_the_fraction_of_persons(name: str) -> None:
    before = start(COUNT)
    plan = build("augmentations", ComponentSpec(name=name, options={"probability": 0.3}))(step_generator(2, 1, 1), before)
    moved = (plan.augmented_from_crop != before.augmented_from_crop).flatten(1).any(1)
    recoloured = (plan.colour_matrix != before.colour_matrix).flatten(1).any(1)
    assert (moved | recoloured).double().mean().item() == pytest.approx(0.3, abs=3 * math.sqrt(0.3 * 0.7 / COUNT))


def test_plan_depends_on_the_generator_only() -> None:
    augmentation, before = RotateScale(RotateScaleOptions()), start(3)
    first, again, other = (augmentation(step_generator(4, 1, step), before).augmented_from_crop for step in (6, 6, 7))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_saturation_and_contrast_do_not_change_mid_grey() -> None:
    colour = ColourJitter(ColourJitterOptions(probability=1, brightness=0, channel=0, contrast=0.5, saturation=1))
    maps = colour(step_generator(0, 0, 0), start(20)).colour_matrix
    grey = torch.tensor([0.5, 0.5, 0.5, 1.0])
    torch.testing.assert_close(maps @ grey, torch.full((20, 3), 0.5))


def test_brightness_multiplies_by_at_most_its_strength() -> None:
    colour = ColourJitter(ColourJitterOptions(probability=1, brightness=0.2, channel=0, contrast=0, saturation=0))
    maps = colour(step_generator(0, 0, 0), start(COUNT)).colour_matrix
    values = maps @ torch.tensor([0.3, 0.6, 0.9, 1.0])
    factors = values / torch.tensor([0.3, 0.6, 0.9])
    torch.testing.assert_close(factors, factors[:, :1].expand(COUNT, 3))
    assert 0.8 <= factors.min() < 0.82
    assert 1.18 < factors.max() <= 1.2 + 1e-6
