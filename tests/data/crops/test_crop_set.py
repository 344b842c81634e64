"""Tests of posescope.data.crops.crop_set."""

from dataclasses import replace

import numpy as np
import pytest

from posescope.core.records import PoseTargets
from posescope.data.crops.crop_set import CropSet

SHARDS = (np.arange(3 * 4 * 6 * 3, dtype=np.uint8).reshape(3, 4, 6, 3), np.full((2, 4, 6, 3), 250, np.uint8))
PLACES = np.array([[1, 1], [0, 2], [0, 0], [1, 0]])


@pytest.fixture
def crops():
    joints = np.arange(4 * 5 * 2, dtype=np.float32).reshape(4, 5, 2)
    return CropSet(PoseTargets(np.array([11, 12, 13, 14]), joints, np.full((4, 5), 2, np.uint8)), SHARDS, PLACES)


def test_set_has_length_and_crop_size(crops):
    assert (len(crops), crops.crop_size, crops.joint_count) == (4, (4, 6), 5)


def test_images_have_the_requested_order_and_may_repeat(crops):
    images = crops.read_images(np.array([2, 0, 1, 2]))
    np.testing.assert_array_equal(images, np.stack([SHARDS[0][0], SHARDS[1][1], SHARDS[0][2], SHARDS[0][0]]))
    assert images.dtype == np.uint8


def test_images_are_copies(crops):
    images = crops.read_images(np.array([2]))
    images[:] = 77
    assert SHARDS[0][0, 0, 0, 0] == 0


def test_empty_selection_has_no_images(crops):
    assert crops.read_images(np.empty(0, np.int64)).shape == (0, 4, 6, 3)
    assert len(crops.subset(np.empty(0, np.int64))) == 0


def test_subset_has_matching_persons_joints_and_images(crops):
    rows = np.array([3, 1])
    part = crops.subset(rows)
    assert part.targets.person_ids.tolist() == [14, 12]
    np.testing.assert_array_equal(part.targets.joints, crops.targets.joints[rows])
    np.testing.assert_array_equal(part.read_images(np.arange(2)), crops.read_images(rows))
    np.testing.assert_array_equal(part.subset(np.array([1])).read_images(np.array([0])), crops.read_images(np.array([1])))


def test_row_out_of_range_is_refused(crops):
    with pytest.raises(IndexError):
        crops.read_images(np.array([4]))


def test_weights_are_reordered_with_the_joints(crops):
    names, weights = ("a", "b", "c", "d", "e"), np.arange(20, dtype=np.float32).reshape(4, 5)
    weighted = replace(crops, targets=replace(crops.targets, joint_names=names, weights=weights))
    np.testing.assert_array_equal(weighted.with_joint_order(names[::-1]).targets.weights, weights[:, ::-1])
