"""Tests of posescope.reporting.image_grids.average_crops: means of valid pixels and of labelled joints."""

import cv2
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.drawing.image_grids import draw_image_grid
from posescope.geometry.crop_recipe import CropRecipe
from posescope.reporting.image_grids import average_crops as average_crop
from posescope.reporting.image_grids.average_crops import PreviewOptions, draw_average_crops, measure_average_crop

ONE_JOINT = Skeleton(("nose",), (), (0.1,))


def crop_set(*shards, joints=None, visibility=None):
    """Return crops of one colour each with one joint; every argument lists the grey levels of one shard."""
    arrays = [np.stack([np.full((4, 6, 3), grey, np.uint8) for grey in greys]) for greys in shards]
    locations = np.array([(shard, row) for shard, greys in enumerate(shards) for row in range(len(greys))])
    count = len(locations)
    targets = PoseTargets(
        np.arange(count),
        np.zeros((count, 1, 2), np.float32) if joints is None else np.asarray(joints, np.float32),
        np.zeros((count, 1), np.uint8) if visibility is None else np.asarray(visibility, np.uint8),
    )
    return CropSet(targets, arrays, locations)


def full_windows(count):
    return np.tile([0, 0, 6, 4], (count, 1))


def test_mean_over_shards_by_hand():
    average = measure_average_crop(crop_set([10, 20], [60]), full_windows(3), ONE_JOINT)
    assert (average.image == 30).all()
    assert (average.image.shape, average.image.dtype, average.persons) == ((4, 6, 3), np.uint8, 3)


def test_padding_is_excluded_from_the_mean():
    # Columns left, top, right, bottom: the left half of the first crop is valid, and the upper half of the second.
    windows = np.array([[0, 0, 3, 4], [0, 0, 6, 2]])
    image = measure_average_crop(crop_set([10, 20]), windows, ONE_JOINT).image[..., 0]
    assert (image[:2, :3] == 15).all()
    assert (image[2:, :3] == 10).all()
    assert (image[:2, 3:] == 20).all()
    assert (image[2:, 3:] == 128).all()  # no crop has a valid pixel there


def test_crop_without_valid_pixels_is_excluded():
    assert (measure_average_crop(crop_set([10, 20]), np.array([[0, 0, 6, 4], [5, 3, 2, 4]]), ONE_JOINT).image == 10).all()


@pytest.mark.parametrize("read_size", [1, 2, 3, 100])
def test_mean_is_independent_of_the_read_size(monkeypatch, read_size):
    monkeypatch.setattr(average_crop, "_READ_AT_ONCE", read_size)
    read_counts = []
    read_images = CropSet.read_images
    monkeypatch.setattr(CropSet, "read_images", lambda self, rows: read_counts.append(len(rows)) or read_images(self, rows))
    assert (measure_average_crop(crop_set([0, 40], [80], [200, 80]), full_windows(5), ONE_JOINT).image == 80).all()
    assert max(read_counts) <= read_size
    assert sum(read_counts) == 5


def test_joints_are_means_over_labelled_joints():
    joints = [[[1, 2], [np.nan, np.nan]], [[3, 6], [np.nan, np.nan]], [[np.nan, np.nan], [np.nan, np.nan]]]
    average = measure_average_crop(
        crop_set([1, 2, 3], joints=joints, visibility=[[2, 0], [1, 0], [0, 0]]),
        full_windows(3),
        Skeleton(("nose", "tail"), (), (0.1, 0.1)),
    )
    np.testing.assert_array_equal(average.facing, [[2, 4], [np.nan, np.nan]])


def test_average_of_a_run_uses_valid_pixels_only(tiny_run, monkeypatch):
    """The expected mean uses a mask that is cropped and resized like the image."""
    seen = {}
    monkeypatch.setattr(
        average_crop, "_draw_grid", lambda averages, skeleton, photographs: seen.update(averages) or np.zeros((1, 1, 3), np.uint8)
    )
    draw_average_crops(*parts(tiny_run), PreviewOptions())
    assert list(seen) == ["train", "val"]
    train_crops = tiny_run.store.select(tiny_run.targets, np.arange(4))
    crops = train_crops.read_images(np.arange(4)).astype(np.float64)
    valid = np.stack([valid_mask(tiny_run, person) for person in range(4)])[..., None]
    assert 0.3 < valid.mean() < 1  # the tiny run has padding
    with np.errstate(invalid="ignore"):
        expected = np.where(valid.any(axis=0), (crops * valid).sum(axis=0) / valid.sum(axis=0), 128)
    assert np.abs(seen["train"].image - expected).max() <= 0.5
    np.testing.assert_allclose(seen["train"].turned, turned_mean(tiny_run), rtol=1e-6)
    assert (seen["train"].facing_persons, seen["train"].turned_persons) == (0, 2)
    assert seen["val"].persons == 3


def parts(run):
    statistics = CropStatistics((0.5, 0.5, 0.5), (32, 32), CropRecipe(rule=ComponentSpec(name="padded_square")), "d" * 16)
    return run.store, run.targets, run.persons, run.skeleton, statistics, run.crop_boxes


def valid_mask(run, person_id):
    box = run.crop_boxes.set_index("person_id").loc[person_id]
    person = run.persons.set_index("person_id").loc[person_id]
    left, top, side = (int(box[name]) for name in ("left", "top", "side"))
    inside = np.zeros((side, side), np.float32)
    inside[max(-top, 0) : int(person["image_h"]) - top, max(-left, 0) : int(person["image_w"]) - left] = 1
    method = cv2.INTER_AREA if side > 32 else cv2.INTER_LINEAR
    return cv2.resize(inside, (32, 32), interpolation=method) > 1 - 1e-6


def record_grid_captions(monkeypatch):
    seen = []

    def spy(images, columns, captions, tile_size, *, title):
        seen.append((columns, captions))
        return draw_image_grid(images, columns, captions, tile_size, title=title)

    monkeypatch.setattr(average_crop, "draw_image_grid", spy)
    return seen


def test_each_split_has_a_column(tiny_run, monkeypatch):
    seen = record_grid_captions(monkeypatch)
    splits = ["train", "train", "test", "test", "val", "val", "val"]
    run = parts(tiny_run)
    grid = draw_average_crops(*run[:2], run[2].assign(split=splits), *run[3:], PreviewOptions()).image
    assert (grid.dtype, grid.ndim) == (np.uint8, 3)
    assert seen[0][0] == 3
    assert seen[0][1][:3] == ["train: mean of 2 crops", "val: mean of 3 crops", "test: mean of 2 crops"]


def test_person_count_is_limited_and_selection_is_seeded(tiny_run, monkeypatch):
    seen = record_grid_captions(monkeypatch)
    grids = [draw_average_crops(*parts(tiny_run), PreviewOptions(average_persons=2, seed=seed)).image for seed in (0, 0, 1, 2, 3)]
    assert seen[0][1][:2] == ["train: mean of 2 crops", "val: mean of 2 crops"]
    np.testing.assert_array_equal(grids[0], grids[1])
    assert any(not np.array_equal(grids[0], other) for other in grids[2:])


def test_person_without_crop_is_omitted(tiny_run, monkeypatch):
    seen = record_grid_captions(monkeypatch)
    run = parts(tiny_run)
    without_crop = run[2][:1].assign(person_id=70, split="test")
    draw_average_crops(*run[:2], pd.concat([run[2], without_crop]), *run[3:], PreviewOptions())
    assert seen[0][1][:2] == ["train: mean of 4 crops", "val: mean of 3 crops"]


def turned_mean(run):
    """Mean joints of the training persons whose left hand is left of the right hand: all who have both hands."""
    joints = run.targets.joints[:4]
    left, right = run.skeleton.index("left_hand"), run.skeleton.index("right_hand")
    return joints[joints[:, left, 0] < joints[:, right, 0]].mean(axis=0)


def test_mean_joints_are_separate_for_either_side():
    skeleton = Skeleton(("nose", "left_hand", "right_hand"), (), (0.1, 0.1, 0.1))
    joints = [[[1, 1], [4, 2], [0, 2]], [[3, 1], [0, 2], [4, 2]], [[3, 3], [2, 2], [4, 2]], [[5, 5], [np.nan, np.nan], [1, 2]]]
    visibility = [[2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 0, 2]]
    average = measure_average_crop(crop_set([1, 2, 3, 4], joints=joints, visibility=visibility), full_windows(4), skeleton)
    np.testing.assert_array_equal(average.facing, [[1, 1], [4, 2], [0, 2]])
    np.testing.assert_array_equal(average.turned, [[3, 2], [1, 2], [4, 2]])
    assert (average.persons, average.facing_persons, average.turned_persons) == (4, 1, 2)


def test_average_crop_without_pixels_in_mode_none(tiny_run, monkeypatch):
    monkeypatch.setattr(average_crop, "draw_image_grid", lambda images, *args, **kwargs: images)
    drawn = draw_average_crops(*parts(tiny_run), PreviewOptions(), "none")
    assert np.unique(drawn.image[0]).size == 1
    assert drawn.text["photographs"] == "none"


def test_mean_skeletons_are_drawn_below_the_first_row(tiny_run, monkeypatch):
    drawn = []
    draw = average_crop.draw_skeleton
    monkeypatch.setattr(average_crop, "draw_skeleton", lambda *args: drawn.append(args) or draw(*args))
    monkeypatch.setattr(average_crop, "draw_image_grid", lambda images, *args, **kwargs: images)
    train_plain, _, _, _, train_drawn, _ = draw_average_crops(*parts(tiny_run), PreviewOptions()).image
    background, joints, skeleton = drawn[1]
    assert skeleton == tiny_run.skeleton
    # 32 px become 256: (x + 0.5) * 8 - 0.5.
    mean = turned_mean(tiny_run)
    np.testing.assert_allclose(joints, (mean + 0.5) * 8 - 0.5, rtol=1e-5)
    assert background.std() > train_plain.std()  # the contrast is stretched
    np.testing.assert_array_equal(train_drawn, draw(background, joints, skeleton))


def test_options_have_bounds():
    for options in ({"average_persons": 0}, {"average_persons": 20_001}, {"seed": -1}, {"persons": 3}):
        with pytest.raises(ValidationError):
            PreviewOptions(**options)
