"""Tests of posescope.geometry.flips: by hand, and twice is the identity."""

import numpy as np
import torch

from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.flips import flip_heatmaps, flip_images, flip_joints, flip_points


def test_flip_by_hand():
    np.testing.assert_allclose(flip_points(np.array([[0.0, 5.0], [99.0, 6.0], [np.nan, 1.0]]), 100)[:2], [[99, 5], [0, 6]])


def test_left_and_right_are_exchanged():
    joints = torch.zeros(1, 17, 2)
    left_wrist, right_wrist = COCO_PERSON.index("left_wrist"), COCO_PERSON.index("right_wrist")
    joints[0, left_wrist] = torch.tensor([10.0, 7.0])
    visibility = torch.zeros(1, 17, dtype=torch.uint8)
    visibility[0, left_wrist] = 2
    flipped, seen = flip_joints(joints, visibility, 64, COCO_PERSON.flip_indices)
    assert flipped[0, right_wrist].tolist() == [53.0, 7.0]
    assert seen[0, right_wrist] == 2
    assert seen[0, left_wrist] == 0


def test_flipping_twice_is_the_identity():
    generator = torch.Generator().manual_seed(0)
    joints, visibility = torch.rand(4, 17, 2, generator=generator) * 64, torch.randint(0, 3, (4, 17), generator=generator)
    once = flip_joints(joints, visibility, 64, COCO_PERSON.flip_indices)
    twice = flip_joints(*once, 64, COCO_PERSON.flip_indices)
    torch.testing.assert_close(twice[0], joints)
    assert torch.equal(twice[1], visibility)
    maps = torch.rand(2, 17, 8, 8, generator=generator)
    assert torch.equal(flip_heatmaps(flip_heatmaps(maps, COCO_PERSON.flip_indices), COCO_PERSON.flip_indices), maps)
    assert torch.equal(flip_images(flip_images(maps)), maps)
    points = np.random.default_rng(0).uniform(0, 64, (5, 2))
    np.testing.assert_allclose(flip_points(flip_points(points, 64), 64), points)
