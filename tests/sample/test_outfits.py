import numpy as np
import pytest

from posescope.sample.body import sample_body_shape
from posescope.sample.outfits import Cloth, sample_outfit
from posescope.sample.poses import POSE_WEIGHTS, sample_pose
from posescope.sample.surfaces import paint_chest, paint_cloth, paint_head, paint_limb

BODY = sample_body_shape(2)
OUTFIT = sample_outfit(4, BODY, can_wear_skirt=False)


def _at(*point: float) -> np.ndarray:
    return np.array([point], np.float32)


def test_pupils_are_painted_on_the_front_of_the_head_only() -> None:
    np.testing.assert_allclose(paint_head(_at(0.37, 0.10, 0.93), OUTFIT)[0], OUTFIT.iris)
    np.testing.assert_allclose(paint_head(_at(0.37, 0.10, -0.93), OUTFIT)[0], OUTFIT.skin)


def test_hoops_by_hand() -> None:
    cloth = Cloth((1, 2, 3), (4, 5, 6), "hoops", pitch=0.1)
    painted = paint_cloth(np.array([[0, 0.01, 0], [0, 0.06, 0], [0, 0.11, 0]], np.float32), cloth)
    assert painted.tolist() == [[4, 5, 6], [1, 2, 3], [4, 5, 6]]


def test_sleeve_ends_at_its_length() -> None:
    cloth = Cloth((10, 20, 30), (0, 0, 0))
    painted = paint_limb(np.array([[0, -0.1, 0], [0, -0.9, 0]], np.float32), 1.0, 0.5, cloth, (200, 150, 120))
    assert painted.tolist() == [[10, 20, 30], [200, 150, 120]]


def test_neckline_is_visible_from_the_front() -> None:
    np.testing.assert_allclose(paint_chest(_at(0, 0.02, 0.05), OUTFIT)[0], OUTFIT.skin)


def test_skirts_occur_only_with_suitable_poses() -> None:
    wear = {sample_outfit(seed, sample_body_shape(seed), can_wear_skirt=False).legwear for seed in range(60)}
    assert "skirt" not in wear
    assert "skirt" in {sample_outfit(seed, sample_body_shape(seed), can_wear_skirt=True).legwear for seed in range(60)}


def test_body_proportions_are_bounded() -> None:
    bodies = [sample_body_shape(seed) for seed in range(200)]
    grown = [body.height for body in bodies if not body.is_child]
    assert np.mean(grown) == pytest.approx(1.0, abs=0.04)
    assert 0.05 < np.std([body.stoutness for body in bodies]) < 0.3
    assert any(body.is_child for body in bodies)


def test_every_pose_can_be_drawn() -> None:
    for name in POSE_WEIGHTS:
        assert sample_pose(7, (name,)).name == name
    assert sum(POSE_WEIGHTS.values()) == pytest.approx(1.0)
    assert sample_pose(1) == sample_pose(1)


def test_knees_and_elbows_bend_in_one_direction_only() -> None:
    for seed in range(300):
        pose = sample_pose(seed)
        assert all(arm.elbow >= 0 for arm in (pose.left_arm, pose.right_arm))
        assert all(0 <= leg.knee < 140 for leg in (pose.left_leg, pose.right_leg))
