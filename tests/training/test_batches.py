"""Tests of posescope.training.batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from posescope.data.crops.crop_set import CropSet
from posescope.training.batches import count_batches, iterate_batches, shuffled_order

CPU = torch.device("cpu")


def rows(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def test_each_person_occurs_once_with_its_image_and_joints(train_set: CropSet) -> None:
    order = shuffled_order(len(train_set), seed=3, epoch=1)
    batches = list(iterate_batches(train_set, order, 8, CPU))
    seen = np.concatenate([batch.person_ids for batch in batches])
    np.testing.assert_array_equal(seen, train_set.targets.person_ids[order])
    np.testing.assert_array_equal(torch.cat([batch.images for batch in batches]), train_set.read_images(order))
    np.testing.assert_array_equal(torch.cat([batch.joints for batch in batches]), train_set.targets.joints[order])


def test_batch_sizes_differ_by_at_most_one(train_set: CropSet) -> None:
    sizes = [len(batch) for batch in iterate_batches(train_set, rows(*range(43)), 14, CPU)]
    assert sizes == [11, 11, 11, 10]
    assert len(sizes) == count_batches(43, 14)


def test_no_batches_of_no_rows(train_set: CropSet) -> None:
    assert list(iterate_batches(train_set, rows(), 4, CPU)) == []
    assert count_batches(0, 4) == 0


def test_order_depends_on_seed_and_epoch() -> None:
    order = shuffled_order(50, seed=1, epoch=2)
    np.testing.assert_array_equal(order, shuffled_order(50, seed=1, epoch=2))
    assert sorted(order) == list(range(50))
    assert (order != shuffled_order(50, seed=1, epoch=3)).any()
    assert (order != shuffled_order(50, seed=2, epoch=2)).any()


def test_error_of_the_reading_thread_is_raised(train_set: CropSet) -> None:
    with pytest.raises(IndexError):
        list(iterate_batches(train_set, rows(0, 1, 999), 1, CPU))


def test_weights_of_the_joints_follow_their_persons(train_set: CropSet) -> None:
    weights = np.random.default_rng(0).random(train_set.targets.visibility.shape).astype(np.float32)
    weighted = replace(train_set, targets=replace(train_set.targets, weights=weights))
    order = rows(5, 2, 9)
    (batch,) = iterate_batches(weighted, order, 8, CPU)
    assert batch.weights is not None
    np.testing.assert_array_equal(batch.weights, weights[order])
    (plain,) = iterate_batches(train_set, order, 8, CPU)
    assert plain.weights is None
