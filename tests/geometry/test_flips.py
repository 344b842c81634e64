"""Tests of posescope.geometry.flips."""

import torch

from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.flips import flip_heatmaps, flip_images


def test_heatmaps_are_mirrored_with_left_and_right_exchanged() -> None:
    heatmaps = torch.zeros(1, 17, 2, 8)
    left_wrist, right_wrist = COCO_PERSON.index("left_wrist"), COCO_PERSON.index("right_wrist")
    heatmaps[0, left_wrist, 1, 2] = 1
    flipped = flip_heatmaps(heatmaps, COCO_PERSON.flip_indices)
    assert flipped.nonzero().tolist() == [[0, right_wrist, 1, 5]]


def test_flipping_twice_is_the_identity() -> None:
    maps = torch.rand(2, 17, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(flip_heatmaps(flip_heatmaps(maps, COCO_PERSON.flip_indices), COCO_PERSON.flip_indices), maps)
    assert torch.equal(flip_images(flip_images(maps)), maps)
