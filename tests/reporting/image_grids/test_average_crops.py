"""The mean of real pixels and of labelled joints, shard by shard."""

import cv2
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from posescope.core.records import PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.drawing.image_grids import draw_image_grid
from posescope.reporting.image_grids import average_crops as average_crop
from posescope.reporting.image_grids.average_crops import PreviewOptions, draw_average_crops, measure_average_crop


def crop_set(*shards, joints=None, visibility=None):
    """Crops of one colour each, a list of grey levels a shard; one joint."""
    arrays = [np.stack([np.full((4, 6, 3), grey, np.uint8) for grey in greys]) for greys in shards]
    places = np.array([(shard, row) for shard, greys in enumerate(shards) for row in range(len(greys))])
    count = len(places)
    targets = PoseTargets(
        np.arange(count),
        np.zeros((count, 1, 2), np.float32) if joints is None else np.asarray(joints, np.float32),
        np.zeros((count, 1), np.uint8) if visibility is None else np.asarray(visibility, np.uint8),
    )
    return CropSet(targets, arrays, places)


def whole(count):
    return np.tile([0, 0, 6, 4], (count, 1))


def test_the_mean_over_shards_by_hand():
    average = measure_average_crop(crop_set([10, 20], [60]), whole(3))
    assert (average.image == 30).all()
    assert (average.image.shape, average.image.dtype, average.persons) == ((4, 6, 3), np.uint8, 3)


def test_padding_does_not_count():
    # Columns left, top, right, bottom: the first crop is real in its left half, the second in its upper half.
    windows = np.array([[0, 0, 3, 4], [0, 0, 6, 2]])
    image = measure_average_crop(crop_set([10, 20]), windows).image[..., 0]
    assert (image[:2, :3] == 15).all()
    assert (image[2:, :3] == 10).all()
    assert (image[:2, 3:] == 20).all()
    assert (image[2:, 3:] == 128).all()  # nobody shows anything there


def test_a_crop_without_a_real_pixel_counts_nowhere():
    assert (measure_average_crop(crop_set([10, 20]), np.array([[0, 0, 6, 4], [5, 3, 2, 4]])).image == 10).all()


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_how_many_are_read_at_once_changes_nothing(monkeypatch, at_once):
    monkeypatch.setattr(average_crop, "_READ_AT_ONCE", at_once)
    asked = []
    read_images = CropSet.read_images
    monkeypatch.setattr(CropSet, "read_images", lambda self, rows: asked.append(len(rows)) or read_images(self, rows))
    assert (measure_average_crop(crop_set([0, 40], [80], [200, 80]), whole(5)).image == 80).all()
    assert max(asked) <= at_once
    assert sum(asked) == 5


def test_joints_are_means_of_the_labelled():
    joints = [[[1, 2], [np.nan, np.nan]], [[3, 6], [np.nan, np.nan]], [[np.nan, np.nan], [np.nan, np.nan]]]
    average = measure_average_crop(crop_set([1, 2, 3], joints=joints, visibility=[[2, 0], [1, 0], [0, 0]]), whole(3))
    np.testing.assert_array_equal(average.joints, [[2, 4], [np.nan, np.nan]])


def test_the_average_of_a_run_is_of_its_real_pixels(tiny_run, monkeypatch):
    """Against a mask that is cut and resized like the image."""
    seen = {}
    monkeypatch.setattr(average_crop, "_draw_grid", lambda averages, skeleton: seen.update(averages))
    draw_average_crops(*parts(tiny_run), PreviewOptions())
    assert list(seen) == ["train", "val"]
    everybody = tiny_run.store.select(tiny_run.targets, np.arange(4))
    crops = everybody.read_images(np.arange(4)).astype(np.float64)
    real = np.stack([real_mask(tiny_run, person) for person in range(4)])[..., None]
    assert 0.3 < real.mean() < 1  # the tiny run has padding
    with np.errstate(invalid="ignore"):
        expected = np.where(real.any(axis=0), (crops * real).sum(axis=0) / real.sum(axis=0), 128)
    assert np.abs(seen["train"].image - expected).max() <= 0.5
    np.testing.assert_allclose(seen["train"].joints, np.nanmean(tiny_run.targets.joints[:4], axis=0), rtol=1e-6)
    assert seen["val"].persons == 3


def parts(run):
    return run.store, run.targets, run.persons, run.crop_boxes, run.skeleton


def real_mask(run, person_id):
    box = run.crop_boxes.set_index("person_id").loc[person_id]
    person = run.persons.set_index("person_id").loc[person_id]
    left, top, side = (int(box[name]) for name in ("left", "top", "side"))
    inside = np.zeros((side, side), np.float32)
    inside[max(-top, 0) : int(person["image_h"]) - top, max(-left, 0) : int(person["image_w"]) - left] = 1
    method = cv2.INTER_AREA if side > 32 else cv2.INTER_LINEAR
    return cv2.resize(inside, (32, 32), interpolation=method) > 1 - 1e-6


def sheet_captions(monkeypatch):
    seen = []

    def spy(images, columns, captions, tile_size, *, title):
        seen.append((columns, captions))
        return draw_image_grid(images, columns, captions, tile_size, title=title)

    monkeypatch.setattr(average_crop, "draw_image_grid", spy)
    return seen


def test_each_split_has_its_column(tiny_run, monkeypatch):
    seen = sheet_captions(monkeypatch)
    splits = ["train", "train", "test", "test", "val", "val", "val"]
    run = parts(tiny_run)
    sheet = draw_average_crops(*run[:2], run[2].assign(split=splits), *run[3:], PreviewOptions())
    assert (sheet.dtype, sheet.ndim) == (np.uint8, 3)
    assert seen[0][0] == 3
    assert seen[0][1][:3] == ["train: mean of 2 crops", "val: mean of 3 crops", "test: mean of 2 crops"]


def test_no_more_persons_than_asked_and_the_same_ones_for_a_seed(tiny_run, monkeypatch):
    seen = sheet_captions(monkeypatch)
    sheets = [draw_average_crops(*parts(tiny_run), PreviewOptions(average_persons=2, seed=seed)) for seed in (0, 0, 1, 2, 3)]
    assert seen[0][1][:2] == ["train: mean of 2 crops", "val: mean of 2 crops"]
    np.testing.assert_array_equal(sheets[0], sheets[1])
    assert any(not np.array_equal(sheets[0], other) for other in sheets[2:])


def test_who_has_no_crop_is_left_out(tiny_run, monkeypatch):
    seen = sheet_captions(monkeypatch)
    run = parts(tiny_run)
    stranger = run[2][:1].assign(person_id=70, split="test")
    draw_average_crops(*run[:2], pd.concat([run[2], stranger]), *run[3:], PreviewOptions())
    assert seen[0][1][:2] == ["train: mean of 4 crops", "val: mean of 3 crops"]


def test_the_mean_skeleton_is_drawn_in_the_second_row_only(tiny_run, monkeypatch):
    drawn = []
    draw = average_crop.draw_skeleton
    monkeypatch.setattr(average_crop, "draw_skeleton", lambda *args: drawn.append(args) or draw(*args))
    monkeypatch.setattr(average_crop, "draw_image_grid", lambda images, *args, **kwargs: images)
    train_plain, _, train_drawn, _ = draw_average_crops(*parts(tiny_run), PreviewOptions())
    ground, joints, skeleton = drawn[0]
    assert skeleton == tiny_run.skeleton
    # 32 px become 256: (x + 0.5) * 8 - 0.5.
    mean = np.nanmean(tiny_run.targets.joints[:4], axis=0)
    np.testing.assert_allclose(joints, (mean + 0.5) * 8 - 0.5, rtol=1e-5)
    assert ground.std() > train_plain.std()  # the contrast is stretched
    np.testing.assert_array_equal(train_drawn, draw(ground, joints, skeleton))


def test_options_have_bounds():
    for wrong in ({"average_persons": 0}, {"average_persons": 20_001}, {"seed": -1}, {"persons": 3}):
        with pytest.raises(ValidationError):
            PreviewOptions(**wrong)
