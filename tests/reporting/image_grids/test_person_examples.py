"""Whose story is told, and whether it is that person's."""

import numpy as np
import pandas as pd
import pytest
import torch

from posescope.data.crops.crop_resampling import crop_square
from posescope.data.images.decoding import read_image
from posescope.geometry.affine import apply_affine
from posescope.reporting.image_grids.person_examples import draw_person_examples, load_person_example, select_examples


def scores(*pck):
    return pd.DataFrame({"person_id": np.arange(len(pck)) + 10, "found": True, "pck_thesis": pck})


def test_examples_are_spread_from_best_to_worst():
    table = scores(0.1, 0.9, 0.5, 0.7, 0.3)
    # From the best: persons 11, 13, 12, 14, 10. Three of five are places 0, 2, 4.
    assert select_examples(table, 3).tolist() == [11, 12, 10]
    assert select_examples(table, 5).tolist() == [11, 13, 12, 14, 10]
    assert select_examples(table, 1).tolist() == [11]


def test_no_more_examples_than_scored_persons():
    assert select_examples(scores(0.5, np.nan, 0.9), 6).tolist() == [12, 10]
    assert select_examples(scores(), 6).tolist() == []
    assert select_examples(scores(np.nan), 6).tolist() == []


def test_who_was_missed_has_no_story():
    assert select_examples(scores(0.5, 0.0, 0.9).assign(found=[True, False, True]), 6).tolist() == [12, 10]


def test_equals_come_in_the_order_of_their_ids():
    assert select_examples(scores(1.0, 1.0, 1.0)[::-1], 3).tolist() == [10, 11, 12]


@pytest.mark.parametrize("person_id", [4, 6])
def test_a_story_is_that_persons(tiny_run, tiny_model, person_id):
    run = tiny_run
    crops = run.store.select(run.targets, np.array([6, 4, 5]))
    story = load_person_example(person_id, tiny_model, run.folder, run.source, crops, run.persons, run.crop_boxes, run.keypoints)
    name = "one.png" if person_id == 4 else "two.png"
    image = read_image(run.folder.root / "val2017" / name)
    np.testing.assert_array_equal(story.image, image)
    box = run.crop_boxes.set_index("person_id").loc[person_id]
    square = crop_square(image, int(box["left"]), int(box["top"]), int(box["side"]), 32, (124, 116, 104))
    np.testing.assert_array_equal(story.crop, square)
    known = {4: [[40, 15], [34, 30], [47, 44]], 6: [[np.nan, np.nan], [44, 20], [56, 38]]}
    np.testing.assert_array_equal(story.joints, known[person_id])
    assert story.visibility.tolist() == {4: [2, 1, 2], 6: [0, 2, 2]}[person_id]
    # Targets peak where the annotation lies in the crop; the unlabelled joint's map is empty.
    in_crop = apply_affine(story.crop_from_image, story.joints)
    decoded = tiny_model.codec.decode(torch.from_numpy(story.target_heatmaps)[None]).joints[0].numpy()
    labelled = story.visibility > 0
    assert np.abs(decoded[labelled] - in_crop[labelled]).max() < 4  # a cell is 4 px
    assert not story.target_heatmaps[~labelled].any()
    expected = tiny_model.heatmaps(torch.from_numpy(square)[None])[0].numpy()
    np.testing.assert_allclose(story.predicted_heatmaps, expected, atol=1e-5)
    assert story.predicted_joints.shape == (3, 2)


def test_examples_are_one_below_the_other(tiny_run, tiny_model):
    run = tiny_run
    table = pd.DataFrame({"person_id": [4, 5, 6], "found": True, "pck_thesis": [0.2, 1.0, np.nan]})

    def picture(count):
        parts = (run.folder, run.source, run.store, run.targets, run.persons, run.crop_boxes, run.keypoints)
        return draw_person_examples(table, tiny_model, *parts, count)

    one, two, all_known = picture(1), picture(2), picture(3)
    assert (one.dtype, one.shape[2]) == (np.uint8, 3)
    assert two.shape[0] > 1.8 * one.shape[0]
    np.testing.assert_array_equal(two, all_known)  # the third person has no score
