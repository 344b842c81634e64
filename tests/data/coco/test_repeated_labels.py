"""Tests of posescope.data.coco.repeated_labels."""

import numpy as np
import pytest

from posescope.data.coco import repeated_labels, split_labels
from posescope.data.coco.repeated_labels import find_frequent_location, hash_persons
from posescope.data.coco.split_labels import SplitLabels, by_blocks


def labels_of(joints) -> SplitLabels:
    count = len(joints)
    names = np.array(["a.png"] * count, dtype=object)
    return SplitLabels("train", np.arange(count), names, np.ones((count, 2)), np.ones((count, 4)), np.ones(count), joints)


@pytest.fixture(params=[1, 7, 1000])
def block_persons(request, monkeypatch):
    for module in (split_labels, repeated_labels):
        monkeypatch.setattr(module, "BLOCK_PERSONS", request.param)
    return request.param


def test_location_of_most_persons_is_found(block_persons):
    joints = np.random.default_rng(0).uniform(0, 99, (40, 3, 2))
    joints[:9, 1] = (5, 7.25)
    joints[3, :] = (5, 7.25)  # a person counts once
    assert find_frequent_location(labels_of(joints), 8) == (5, 7.25)
    assert find_frequent_location(labels_of(joints), 9) is None


def test_other_locations_with_an_equal_hash_are_distinguished(block_persons, monkeypatch):
    monkeypatch.setattr(repeated_labels, "_HASH_BITS", 1)
    joints = np.random.default_rng(0).uniform(0, 99, (40, 3, 2))
    joints[:9, 1] = (-0.0, 0)
    assert find_frequent_location(labels_of(joints), 8) == (0, 0)
    assert find_frequent_location(labels_of(joints[9:]), 8) is None
    joints[...] = np.nan
    assert find_frequent_location(labels_of(joints), 8) is None


def test_equal_persons_have_equal_hashes(block_persons):
    joints = np.random.default_rng(0).uniform(0, 99, (20, 3, 2))
    joints[5, 1] = np.nan
    joints[17] = joints[5]
    hashes = hash_persons(labels_of(joints))
    assert hashes[17] == hashes[5]
    assert len(set(hashes.tolist())) == 19


def test_blocks_give_the_result_of_all_records(block_persons):
    labels = labels_of(np.random.default_rng(0).uniform(0, 99, (20, 3, 2)))
    np.testing.assert_array_equal(by_blocks(labels, lambda block: block.joints.sum(axis=1)), labels.joints.sum(axis=1))
    np.testing.assert_array_equal(labels.largest[:, 0], labels.joints.max(axis=(1, 2)))
    nothing = labels.subset(slice(0))
    assert by_blocks(nothing, lambda block: block.areas).shape == (0,)
