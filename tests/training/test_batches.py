"""Tests of posescope.training.batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from posescope.data.crops.crop_set import CropSet
from posescope.training.batches import count_batches, iterate_batches, order_persons, shuffled_order, windowed_order

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


def test_windows_have_whole_shards_in_a_random_order() -> None:
    shards = np.repeat(np.arange(12), 5)
    order = windowed_order(shards, 3, seed=1, epoch=2)
    windows = [set(shards[part].tolist()) for part in np.split(order, 4)]
    assert sorted(order) == list(range(60))
    assert [len(window) for window in windows] == [3, 3, 3, 3]
    assert sorted(shard for window in windows for shard in window) == list(range(12))
    assert len({tuple(np.diff(shards[part]).tolist()) for part in np.split(order, 4)}) == 4  # mixed within a window
    np.testing.assert_array_equal(order, windowed_order(shards, 3, seed=1, epoch=2))
    assert (order != windowed_order(shards, 3, seed=1, epoch=3)).any()
    assert windowed_order(shards[:0], 3, seed=1, epoch=3).shape == (0,)


def test_without_a_window_the_order_is_that_of_all_persons(train_set: CropSet) -> None:
    np.testing.assert_array_equal(order_persons(train_set, 1, 2, None), shuffled_order(len(train_set), 1, 2))
    np.testing.assert_array_equal(order_persons(train_set, 1, 2, 2), windowed_order(train_set.locations[:, 0], 2, 1, 2))


def test_each_shard_is_announced_once_before_its_first_crop(train_set: CropSet, monkeypatch: pytest.MonkeyPatch) -> None:
    announced: list[int] = []
    monkeypatch.setattr(CropSet, "read_ahead", lambda _, shards: announced.extend(shards))
    order = order_persons(train_set, 1, 2, 1)
    list(iterate_batches(train_set, order, 4, CPU))
    assert announced == []
    list(iterate_batches(train_set, order, 4, CPU, whole_shards=True))
    assert sorted(announced) == sorted(set(train_set.locations[:, 0].tolist()))


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
