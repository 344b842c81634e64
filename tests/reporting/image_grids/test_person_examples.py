"""Tests of posescope.reporting.image_grids.person_examples: selection of persons, and the data of each example."""

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


@pytest.mark.parametrize("person_id", [4, 6])
def test_example_contains_the_data_of_its_person(tiny_run, tiny_model, person_id):
    run = tiny_run
    crops = run.store.select(run.targets, np.array([6, 4, 5]))
    example = load_person_example(
        person_id, tiny_model, run.folder, run.source, crops, run.persons, run.crop_boxes, run.keypoints
    )
    name = "one.png" if person_id == 4 else "two.png"
    image = read_image(run.folder.root / "val2017" / name)
    np.testing.assert_array_equal(example.image, image)
    box = run.crop_boxes.set_index("person_id").loc[person_id]
    square = crop_square(image, int(box["left"]), int(box["top"]), int(box["side"]), 32, (124, 116, 104))
    np.testing.assert_array_equal(example.crop, square)
    known = {4: [[40, 15], [34, 30], [47, 44]], 6: [[np.nan, np.nan], [44, 20], [56, 38]]}
    np.testing.assert_array_equal(example.joints, known[person_id])
    assert example.visibility.tolist() == {4: [2, 1, 2], 6: [0, 2, 2]}[person_id]
    # Targets peak at the annotated position in the crop; the map of an unlabelled joint is empty.
    in_crop = apply_affine(example.crop_from_image, example.joints)
    decoded = tiny_model.codec.decode(torch.from_numpy(example.target_heatmaps)[None]).joints[0].numpy()
    labelled = example.visibility > 0
    assert np.abs(decoded[labelled] - in_crop[labelled]).max() < 4  # a heatmap px is 4 crop px
    assert not example.target_heatmaps[~labelled].any()
    expected = tiny_model.heatmaps(torch.from_numpy(square)[None])[0].numpy()
    np.testing.assert_allclose(example.predicted_heatmaps, expected, atol=1e-5)
    assert example.predicted_joints.shape == (3, 2)


def test_examples_are_stacked_vertically(tiny_run, tiny_model):
    run = tiny_run
    table = pd.DataFrame({"person_id": [4, 5, 6], "found": True, "pck_thesis": [0.2, 1.0, np.nan]})

    def draw(count):
        parts = (run.folder, run.source, run.store, run.targets, run.persons, run.crop_boxes, run.keypoints)
        return draw_person_examples(table, tiny_model, *parts, count)

    one, two, three = draw(1), draw(2), draw(3)
    assert (one.dtype, one.shape[2]) == (np.uint8, 3)
    assert two.shape[0] > 1.8 * one.shape[0]
    np.testing.assert_array_equal(two, three)  # the third person has no score
