"""Tests of posescope.reporting.image_grids.crop_previews: grids of crops and of target heatmaps."""

import numpy as np
import pytest

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.drawing.heatmap_overlays import dim_image, overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.skeletons import draw_skeleton
from posescope.geometry.affine import apply_affine
from posescope.geometry.crop_recipe import CropRecipe
from posescope.reporting.image_grids import crop_previews as previews
from posescope.reporting.image_grids.crop_previews import draw_crop_grid, draw_target_grid

GAUSSIAN = ComponentSpec(name="gaussian")
STATISTICS = CropStatistics((0.5, 0.5, 0.5), (32, 32), CropRecipe(rule=ComponentSpec(name="padded_square")), "d" * 16)


def record_grids(monkeypatch):
    """Record image count, captions and title of every image grid."""
    seen = []

    def spy(images, columns, captions, tile_size, *, title):
        seen.append((len(images), list(captions), title))
        return draw_image_grid(images, columns, captions, tile_size, title=title)

    monkeypatch.setattr(previews, "draw_image_grid", spy)
    return seen


def annotated(run, rows, height_px):
    """Return crops that are resized to a height and annotated with their skeletons."""
    crops = run.store.select(run.targets, np.array(rows))
    drawn = []
    for image, joints, visibility in zip(
        crops.read_images(np.arange(len(rows))), crops.targets.joints, crops.targets.visibility, strict=True
    ):
        panel, panel_from_crop = resize_to_height(image, height_px)
        drawn.append(draw_skeleton(panel, apply_affine(panel_from_crop, joints), run.skeleton, visibility))
    return drawn


def test_crops_are_drawn_with_their_joints(tiny_run, monkeypatch):
    seen = record_grids(monkeypatch)
    grid = draw_crop_grid(tiny_run.store, tiny_run.targets, tiny_run.persons, tiny_run.skeleton, STATISTICS)
    assert seen == [(7, [f"person {i}" for i in range(7)], "Crops with their annotation (left orange, right blue)")]
    expected = draw_image_grid(annotated(tiny_run, range(7), 160), 8, seen[0][1], (160, 160), title=seen[0][2])
    np.testing.assert_array_equal(grid.image, expected)
    assert grid.text == {"data": "d" * 16, "photographs": "full"}


def test_each_of_several_data_sets_is_drawn_and_named(tiny_run, monkeypatch):
    """Six persons of one data set, one of the other: each gets at most half of the two places of a split."""
    seen = record_grids(monkeypatch)
    monkeypatch.setattr(previews, "_CROPS", 4)
    persons = tiny_run.persons.assign(source=["few" if person == 1 else "many" for person in tiny_run.persons["person_id"]])
    draw_crop_grid(tiny_run.store, tiny_run.targets, persons.assign(split="train"), tiny_run.skeleton, STATISTICS)
    assert [captions for _, captions, _ in seen] == [["person 0, many", "person 1, few"]]


def test_target_overlays_are_drawn_beside_the_annotation(tiny_run, monkeypatch):
    seen = record_grids(monkeypatch)
    overlaid = []

    def spy(*args):
        overlay = overlay_heatmaps(*args)
        overlaid.append((*args[:2], overlay))
        return overlay

    monkeypatch.setattr(previews, "overlay_heatmaps", spy)
    grid = draw_target_grid(tiny_run.store, tiny_run.targets, tiny_run.persons, tiny_run.skeleton, STATISTICS, GAUSSIAN).image
    assert (grid.dtype, grid.ndim) == (np.uint8, 3)
    assert seen[0][2] == "Annotation, and maximum of the target heatmaps (codec 'gaussian')"
    # The left hand of person 1 is unlabelled, so that its map is empty; the other maps peak near 1.
    background, maps, overlay = overlaid[1]
    peaks = maps.max(axis=(1, 2))
    assert peaks[1] == 0
    assert (peaks[[0, 2]] > 0.5).all()
    crop = tiny_run.store.select(tiny_run.targets, np.array([1])).read_images(np.array([0]))[0]
    np.testing.assert_array_equal(background, dim_image(resize_to_height(crop, 200)[0]))
    # The second tile of the first row has the annotation on the left and the overlay on the right, 2 px apart.
    top = grid.shape[0] - draw_image_grid([crop] * 7, 3, seen[0][1], (200, 402)).shape[0] + 4
    left = 4 + 402 + 4
    np.testing.assert_array_equal(grid[top : top + 200, left : left + 200], annotated(tiny_run, [1], 200)[0])
    np.testing.assert_array_equal(grid[top : top + 200, left + 202 : left + 402], overlay)


def test_both_splits_are_shown_up_to_the_limit(tiny_run, monkeypatch):
    seen = record_grids(monkeypatch)
    monkeypatch.setattr(previews, "_MAPS", 4)
    draw_target_grid(tiny_run.store, tiny_run.targets, tiny_run.persons, tiny_run.skeleton, STATISTICS, GAUSSIAN)
    # The first and the last of the training persons 0..3 and of the validation persons 4..6 are shown.
    assert seen[0][:2] == (4, ["person 0", "person 3", "person 4", "person 6"])


def test_test_persons_are_not_shown(tiny_run, monkeypatch):
    seen = record_grids(monkeypatch)
    splits = ["test", "train", "train", "test", "val", "val", "val"]
    draw_crop_grid(tiny_run.store, tiny_run.targets, tiny_run.persons.assign(split=splits), tiny_run.skeleton, STATISTICS)
    assert seen[0][1] == [f"person {i}" for i in (1, 2, 4, 5, 6)]


def test_split_without_persons_is_omitted(tiny_run, monkeypatch):
    seen = record_grids(monkeypatch)
    draw_crop_grid(tiny_run.store, tiny_run.targets, tiny_run.persons[:4], tiny_run.skeleton, STATISTICS)
    assert seen[0][0] == 4


def test_unknown_codec_is_refused(tiny_run):
    with pytest.raises(OptionsError, match="No component 'rings'"):
        draw_target_grid(
            tiny_run.store, tiny_run.targets, tiny_run.persons, tiny_run.skeleton, STATISTICS, ComponentSpec(name="rings")
        )
