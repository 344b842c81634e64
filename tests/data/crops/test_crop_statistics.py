"""Tests of posescope.data.crops.crop_statistics."""

import json
from dataclasses import replace

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_statistics import CropStatistics, check_current, mean_rgb, measure_crops
from posescope.geometry.crop_recipe import CropRecipe


def measure(found, persons=None, targets=None):
    targets = targets_in_crops(found.crop_boxes, found.keypoints) if targets is None else targets
    return measure_crops(found.store, found.persons if persons is None else persons, targets, found.options)


def test_mean_is_over_training_persons_only(tiny_coco, cut):
    found = cut(tiny_coco.root)
    result = measure(found)
    assert result.mean_rgb == mean_rgb(found.store, np.array([0, 1, 2, 3]))
    assert result.mean_rgb != mean_rgb(found.store, np.arange(7))
    assert result.crop_size == (32, 32)
    assert result.crop == CropRecipe(rule=found.options.rule_spec, padding_rgb=found.options.padding_rgb)
    assert result.crop.rule.name == "padded_square"


def test_round_trip_through_json(tiny_coco, cut):
    result = measure(cut(tiny_coco.root))
    read = CropStatistics.from_dict(json.loads(json.dumps(result.to_dict())))
    assert read.to_dict() == result.to_dict()
    assert replace(read, crop=result.crop) == result  # the rule is read back in the form of the file


def test_fingerprint_is_the_same_for_the_same_data(tiny_coco, cut):
    assert measure(cut(tiny_coco.root)) == measure(cut(tiny_coco.root, workers=2))


def test_fingerprint_is_independent_of_the_shards(tiny_coco, cut):
    fingerprints = {measure(cut(tiny_coco.root, shard_persons=size)).data_fingerprint for size in (1, 2, 100)}
    assert len(fingerprints) == 1


def test_fingerprint_changes_with_the_pixels(tiny_coco, cut):
    before = measure(cut(tiny_coco.root)).data_fingerprint
    image = np.zeros((100, 90, 3), np.uint8)
    tiny_coco.write_image("train2017", "three.png", image)
    assert measure(cut(tiny_coco.root)).data_fingerprint != before


def test_fingerprint_changes_with_splits_and_joints(tiny_coco, cut):
    found = cut(tiny_coco.root)
    targets = targets_in_crops(found.crop_boxes, found.keypoints)
    moved, occluded = targets.joints.copy(), targets.visibility.copy()
    moved[0, 0, 0] += 1e-3
    occluded[0, 0] = 1
    fingerprints = {
        measure(found).data_fingerprint,
        measure(found, persons=found.persons.assign(split=["test", *found.persons["split"][1:]])).data_fingerprint,
        measure(found, targets=replace(targets, joints=moved)).data_fingerprint,
        measure(found, targets=replace(targets, visibility=occluded)).data_fingerprint,
    }
    assert len(fingerprints) == 4


def test_missing_training_persons_are_refused(tiny_coco, cut):
    found = cut(tiny_coco.root)
    with pytest.raises(DataError, match="training"):
        measure(found, persons=found.persons.assign(split="val"))


def test_statistics_of_another_run_are_refused(tiny_coco, cut):
    found = cut(tiny_coco.root)
    targets = targets_in_crops(found.crop_boxes, found.keypoints)
    statistics = measure(found)
    check_current(statistics, found.store, found.persons, targets)
    other = cut(tiny_coco.root, rule_options={"margin": 0.3})
    with pytest.raises(DataError, match="fingerprint"):
        check_current(statistics, other.store, other.persons, targets_in_crops(other.crop_boxes, other.keypoints))
    drawn = found.persons.assign(split=["test", *found.persons["split"][1:]])
    with pytest.raises(DataError, match="fingerprint"):
        check_current(measure(other), other.store, drawn, targets)


def test_joints_and_boxes_of_another_run_are_refused(tiny_coco, cut):
    """A run that is killed after computing the joints and before cropping leaves old crops with new joints."""
    old = cut(tiny_coco.root)
    new = box_persons(old.persons, old.keypoints, old.options.model_copy(update={"rule_options": {"margin": 0.5}}))
    person_ids = old.persons["person_id"].to_numpy()
    with pytest.raises(DataError, match="targets"):
        old.store.select(targets_in_crops(new.crop_boxes, old.keypoints), person_ids)
    with pytest.raises(DataError, match="crop_boxes"):
        old.store.check_boxes(new.crop_boxes)
    old.store.check_boxes(old.crop_boxes.iloc[::-1])
    assert len(old.store.select(targets_in_crops(old.crop_boxes, old.keypoints), person_ids)) == 7
