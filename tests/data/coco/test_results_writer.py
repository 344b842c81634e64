"""Tests of posescope.data.coco.results_writer: predictions as COCO results."""

import json

import numpy as np
import pandas as pd

from posescope.core.tables import Predictions, join_joints
from posescope.data.coco.results_writer import coco_results

PERSONS = pd.DataFrame({"person_id": [8, 2], "image_id": [30, 10]})


def predictions(person_ids, joints, scores):
    table = join_joints(np.array(person_ids), np.asarray(joints, float), np.asarray(scores, np.float32), "score")
    return Predictions.validate(table)


def test_results_have_values_computed_by_hand():
    table = predictions([8, 2], [[[1.25, 2], [3, 4]], [[5, 6], [7, 8.5]]], [[1, 0.5], [0.25, 0]])
    assert coco_results(table, PERSONS, category_id=7) == [
        # Records are in the order of person_id, keypoints are unchanged, and scores are (0.25 + 0) / 2 and (1 + 0.5) / 2.
        {"image_id": 10, "category_id": 7, "keypoints": [5, 6, 1, 7, 8.5, 1], "score": 0.125},
        {"image_id": 30, "category_id": 7, "keypoints": [1.25, 2, 1, 3, 4, 1], "score": 0.75},
    ]


def test_numbers_are_rounded_and_can_be_written_as_json():
    table = predictions([2], [[[1 / 3, 2 / 3]]], [[1 / 3]])
    found = coco_results(table, PERSONS)
    assert json.loads(json.dumps(found)) == [
        {"image_id": 10, "category_id": 1, "keypoints": [0.333, 0.667, 1.0], "score": 0.333333}
    ]


def test_results_of_no_persons_are_empty():
    assert coco_results(Predictions.empty(), PERSONS) == []
