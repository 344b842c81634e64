"""Tests of posescope.reporting.image_grids.person_examples: selection of persons, and the data of each example."""

import numpy as np
import pandas as pd
import pytest
import torch

from posescope.core.tables import matrices_of
from posescope.data.crops.crop_resampling import crop_box
from posescope.data.images.decoding import read_image
from posescope.drawing.heatmap_overlays import overlay_heatmaps
from posescope.drawing.image_grids import resize_to_height
from posescope.drawing.skeletons import draw_skeleton
from posescope.geometry.affine import apply_affine
from posescope.reporting.image_grids import person_examples
from posescope.reporting.image_grids.person_examples import PersonArtist, draw_person_example, select_examples, select_typical


def scores(*pck):
    return pd.DataFrame({"person_id": np.arange(len(pck)) + 10, "found": True, "pck_thesis": pck})


def test_examples_are_spread_from_best_to_worst():
    table = scores(0.1, 0.9, 0.5, 0.7, 0.3)
    # Sorted by score: persons 11, 13, 12, 14, 10. Three of five are at positions 0, 2 and 4.
    assert select_examples(table, 3).tolist() == [11, 12, 10]
    assert select_examples(table, 5).tolist() == [11, 13, 12, 14, 10]
    assert select_examples(table, 1).tolist() == [11]


def test_example_count_is_limited_by_scored_persons():
    assert select_examples(scores(0.5, np.nan, 0.9), 6).tolist() == [12, 10]
    assert select_examples(scores(), 6).tolist() == []
    assert select_examples(scores(np.nan), 6).tolist() == []


def test_missed_persons_are_not_selected():
    assert select_examples(scores(0.5, 0.0, 0.9).assign(found=[True, False, True]), 6).tolist() == [12, 10]


def test_ties_are_ordered_by_person_id():
    assert select_examples(scores(1.0, 1.0, 1.0)[::-1], 3).tolist() == [10, 11, 12]


def example_of(run, person_id):
    """Return the image, the crops, the row of the person in them, and its `crop_from_image`."""
    crops = run.store.select(run.targets, np.array([6, 4, 5]))
    image = read_image(run.folder.root / "val2017" / ("one.png" if person_id == 4 else "two.png"))
    crop_from_image = matrices_of(run.crop_boxes[run.crop_boxes["person_id"] == person_id])[0]
    return image, crops, [6, 4, 5].index(person_id), crop_from_image


@pytest.mark.parametrize("person_id", [4, 6])
def test_panels_show_image_crop_targets_predictions_and_skeleton_of_the_person(tiny_run, tiny_model, monkeypatch, person_id):
    titles, panels, overlaid, drawn = [], [], [], []
    monkeypatch.setattr(person_examples, "draw_image_row", lambda *args: (panels.extend(args[0]), titles.extend(args[1])))
    monkeypatch.setattr(person_examples, "overlay_heatmaps", lambda *args: overlaid.append(args[1]) or overlay_heatmaps(*args))
    monkeypatch.setattr(
        person_examples, "draw_skeleton", lambda *args, **kwargs: drawn.append(args[1]) or draw_skeleton(*args, **kwargs)
    )
    image, crops, row, crop_from_image = example_of(tiny_run, person_id)
    draw_person_example(image, crops, row, crop_from_image, tiny_model)
    assert titles[:4] == ["image and crop box", "crop and annotation", "target heatmaps", "predicted heatmaps"]
    assert titles[4].startswith("prediction, mean error ")
    assert all(panel.shape[0] == 200 for panel in panels)
    # Targets peak at the annotated position in the crop; the map of an unlabelled joint is empty.
    predicted, targets = overlaid
    known = {4: [[40, 15], [34, 30], [47, 44]], 6: [[np.nan, np.nan], [44, 20], [56, 38]]}
    in_crop = apply_affine(crop_from_image, np.array(known[person_id], np.float64))
    labelled = np.isfinite(in_crop).all(axis=1)
    decoded = tiny_model.codec.decode(torch.from_numpy(targets)[None]).joints[0].numpy()
    assert np.abs(decoded[labelled] - in_crop[labelled]).max() < 4  # a heatmap px is 4 crop px
    assert not targets[~labelled].any()
    box = tiny_run.crop_boxes.set_index("person_id").loc[person_id]
    square = crop_box(image, int(box["left"]), int(box["top"]), (int(box["side"]),) * 2, (32, 32), (124, 116, 104))
    expected = tiny_model.heatmaps(torch.from_numpy(square)[None])[0].numpy()
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    # The annotation is drawn at its position on the image and on the crop.
    on_image = apply_affine(resize_to_height(image, 200)[1], np.array(known[person_id], np.float64))
    np.testing.assert_allclose(drawn[1], on_image, atol=1e-3)
    np.testing.assert_allclose(drawn[2], apply_affine(resize_to_height(square, 200)[1], in_crop), atol=1e-3)
    assert np.isfinite(drawn[0]).all()


def test_inputs_of_an_example_are_not_changed(tiny_run, tiny_model):
    image, crops, row, crop_from_image = example_of(tiny_run, 4)
    before = image.copy(), crop_from_image.copy()
    draw_person_example(image, crops, row, crop_from_image, tiny_model)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(crop_from_image, before[1])


def test_examples_are_stacked_vertically(tiny_run, tiny_model):
    run = tiny_run
    table = pd.DataFrame({"person_id": [4, 5, 6], "found": True, "pck_thesis": [0.2, 1.0, np.nan]})

    def draw(count):
        artist = PersonArtist(tiny_model, run.store, run.targets)
        return artist.draw_examples(table, run.folder, run.source, run.persons, run.crop_boxes, count)

    one, two, three = draw(1), draw(2), draw(3)
    assert (one.dtype, one.shape[2]) == (np.uint8, 3)
    assert two.shape[0] > 1.8 * one.shape[0]
    np.testing.assert_array_equal(two, three)  # the third person has no score


def test_typical_person_has_most_visible_joints_and_a_pck_near_the_mean(tiny_run, tiny_model):
    # Persons 5 and 0 have three visible joints, person 4 two; the mean is 0.5.
    table = pd.DataFrame({"person_id": [4, 3, 5], "found": True, "pck_thesis": [0.5, 0.1, 0.9]})
    assert select_typical(table, tiny_run.targets).tolist() == [3]
    assert select_typical(table.assign(pck_thesis=[0.1, 0.1, 0.4]), tiny_run.targets).tolist() == [3]
    assert select_typical(table.assign(found=[True, False, False]), tiny_run.targets).tolist() == [4]
    assert select_typical(table.drop(columns="pck_thesis"), tiny_run.targets).tolist() == [3]
    drawn = PersonArtist(tiny_model, tiny_run.store, tiny_run.targets).draw_typical(table)
    assert drawn.shape == (200, 3 * 200 + 2 * 6, 3)


@pytest.mark.parametrize("mode", ["blurred", "none"])
def test_examples_show_no_photograph_in_other_modes(tiny_run, tiny_model, monkeypatch, mode):
    titles, panels = [], []
    monkeypatch.setattr(person_examples, "draw_image_row", lambda *args: (panels.extend(args[0]), titles.extend(args[1])))
    image, crops, row, crop_from_image = example_of(tiny_run, 4)
    draw_person_example(image, crops, row, crop_from_image, tiny_model, mode)
    assert titles[:3] == ["crop and annotation", "target heatmaps", "predicted heatmaps"]
    hidden = crops.read_shown_images(np.array([row]), mode)
    assert not np.array_equal(hidden, crops.read_images(np.array([row])))
    background = resize_to_height(hidden[0], 200)[0]
    assert (panels[0] == background).all(axis=-1).mean() > 0.5
