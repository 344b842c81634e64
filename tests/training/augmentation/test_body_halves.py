"""Tests of posescope.training.augmentation.half_body: halves by names, then by limbs."""

import json
import logging
from pathlib import Path

import pytest

from posescope.core.skeleton import COCO_PERSON, Skeleton, skeleton_from_category
from posescope.training.augmentation.half_body import find_body_halves


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
