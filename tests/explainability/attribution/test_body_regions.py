import numpy as np
import pytest

from posescope.core.skeleton import Skeleton
from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.attribution.body_regions import REGIONS, measure_fractions, move_maps, region_map

SKELETON = Skeleton(joints=("neck", "left_hand", "right_hand", "foot"), limbs=((0, 1), (0, 2), (0, 3)), oks_sigmas=(0.1,) * 4)
JOINTS = np.array([[50.0, 20.0], [80.0, 20.0], [20.0, 20.0], [50.0, 80.0]])


def regions_of(joint: int, joints: np.ndarray = JOINTS) -> np.ndarray:
    return region_map(joints, joint, SKELETON, (100, 100), joint_radius=0.1, limb_radius=0.05)


def region_at(found: np.ndarray, x: int, y: int) -> str:
    return REGIONS[found[y, x]]


def test_regions_of_a_hand_equal_the_hand_computed_ones() -> None:
    found = regions_of(1)
    # The person is 60 px: discs of 6 px, capsules of 3 px.
    assert [region_at(found, x, 20) for x in (80, 86, 87, 75, 60)] == ["joint", "joint", "background", "joint", "limb"]
    assert region_at(found, 60, 17) == "limb"
    assert region_at(found, 60, 16) == "background"  # also outside the hull
    assert [region_at(found, x, 20) for x in (20, 14, 40)] == ["other side"] * 3  # the right hand and its forearm
    assert region_at(found, 50, 60) == "body"
    assert region_at(found, 45, 50) == "body"  # inside the hull, outside the limbs
    assert region_at(found, 90, 90) == "background"


def test_joint_without_a_partner_has_no_other_side() -> None:
    assert not (regions_of(3) == REGIONS.index("other side")).any()


def test_limb_to_the_partner_ends_at_its_disc() -> None:
    linked = Skeleton(joints=("left_hip", "right_hip"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1))
    found = region_map(np.array([[80.0, 20], [20, 20]]), 0, linked, (100, 100), joint_radius=0.1, limb_radius=0.05)
    assert [region_at(found, x, 20) for x in (80, 50, 26, 20)] == ["joint", "limb", "other side", "other side"]


def test_unlabelled_partner_has_no_region() -> None:
    joints = JOINTS.copy()
    joints[2] = np.nan
    assert not (regions_of(1, joints) == REGIONS.index("other side")).any()


def test_person_with_one_joint_has_a_quarter_of_the_crop_as_size() -> None:
    found = regions_of(1, np.where(np.arange(4)[:, None] == 1, JOINTS, np.nan))
    assert region_at(found, 82, 20) == "joint"  # 2.5 px
    assert region_at(found, 83, 20) == "background"
    assert set(np.unique(found)) == {0, 4}


def test_fractions_equal_the_hand_computed_ones() -> None:
    regions = np.array([[[[0, 0, 4, 4], [1, 4, 4, 4]]]])
    maps = np.array([[[[3.0, -3.0, 1.0, 0.0], [2.0, 0.0, -1.0, 0.0]]]])
    found = measure_fractions(maps, regions, np.array([[True]]), np.array([7]))
    np.testing.assert_allclose(found.fractions[0, 0], [0.6, 0.2, np.nan, np.nan, 0.2])
    np.testing.assert_allclose(found.areas[0, 0], [2 / 8, 1 / 8, np.nan, np.nan, 5 / 8])
    draws = resample_images(np.array([7]), 0, 100)
    assert found.density(0, 0, draws).estimate == pytest.approx(0.6 / 0.25)
    assert np.isnan(found.density(0, 2, draws).estimate)


def test_zero_maps_and_unlabelled_joints_are_nan() -> None:
    regions = np.zeros((2, 1, 2, 2), np.uint8)
    found = measure_fractions(
        np.stack([np.zeros((1, 2, 2)), np.ones((1, 2, 2))]), regions, np.array([[True], [False]]), np.arange(2)
    )
    assert np.isnan(found.fractions).all()


def test_maps_are_shifted_to_the_explained_point() -> None:
    maps = np.zeros((3, 1, 4, 5), np.float32)
    maps[0, 0, 1, 1], maps[1, 0, 2, 4], maps[2, 0, 0, 0] = 1, 2, 3
    points = np.array([[[1.0, 1]], [[4, 2]], [[0, 0]]])
    found = move_maps(maps, points, np.array([[True], [True], [False]]), np.array([0, 1, 2]))
    expected = np.zeros_like(maps)
    expected[0, 0, 1, 1], expected[1, 0, 2, 4] = 2, 1  # each has the other's map, at its own point
    np.testing.assert_array_equal(found, expected)
    assert not move_maps(maps, points, np.ones((3, 1), bool), np.zeros(3, np.int64)).any()  # all in one image
