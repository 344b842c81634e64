"""Tests of posescope.evaluation.external_results."""

import json

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton
from posescope.core.tables import Keypoints, Persons, Predictions, join_joints, required_columns
from posescope.evaluation.external_results import match_results, read_results
from posescope.evaluation.metrics.base import MetricError

SKELETON = Skeleton(("nose", "tail"), ((0, 1),), (0.1, 0.1), category_id=3)


def persons_table(*rows):
    """(person_id, source_split, image_id, split, is_crowd) -> a `Persons` table of 20 x 50 px boxes and areas of 1,000 px^2."""
    table = pd.DataFrame(rows, columns=["person_id", "source_split", "image_id", "split", "is_crowd"])
    table["annotation_id"] = table["person_id"] + 100
    size = {"file_name": "x.jpg", "image_h": 90, "image_w": 90}
    box = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 20, "bbox_h": 50, "area": 1000}
    return Persons.validate(table.assign(**size, **box)[required_columns(Persons)])


def keypoints_of(person_ids, points, visibility):
    return Keypoints.validate(
        join_joints(np.array(person_ids), np.array(points, float), np.array(visibility, np.uint8), "visibility")
    )


def result(image_id, x, score=0.5):
    """Return a result with both joints at (x, 0), with scores 0.25 and 0.75."""
    return {"image_id": image_id, "category_id": 3, "keypoints": [x, 0, 0.25, x, 0, 0.75], "score": score}


def test_each_person_is_matched_to_the_best_result_of_its_image() -> None:
    evaluated = persons_table(
        (1, "v", 10, "val", False), (2, "v", 10, "val", False), (4, "v", 12, "val", False), (9, "v", 13, "val", False)
    )
    truth = keypoints_of([1, 2, 4, 9], [[[x, 0], [x, 0]] for x in (0, 50, 0, 0)], [[2, 2], [2, 0], [1, 1], [2, 2]])
    results = [
        result(10, 44, score=0.9),  # nearest to person 2
        result(12, 30),
        result(10, 3, score=0.1),  # nearest to person 1, whatever its score
        result(99, 0),  # in an image without a person
        result(12, 7),  # nearest to person 4
    ]
    found = match_results(results, evaluated, truth, SKELETON)
    Predictions.validate(found)
    assert found["person_id"].tolist() == [1, 1, 2, 2, 4, 4]  # nothing was found in the image of person 9
    assert found["x"].tolist() == [3, 3, 44, 44, 7, 7]
    assert found["score"].tolist() == [0.25, 0.75] * 3
    assert found["person_score"].tolist() == pytest.approx([0.1, 0.1, 0.9, 0.9, 0.5, 0.5])
    # The order of results does not matter, nor does that of the persons.
    again = match_results(results[::-1], evaluated.iloc[::-1], truth, SKELETON).sort_values("person_id", kind="stable")
    pd.testing.assert_frame_equal(again.reset_index(drop=True), found)


def test_two_persons_may_be_matched_to_the_same_result() -> None:
    evaluated = persons_table((1, "v", 10, "val", False), (2, "v", 10, "val", False))
    truth = keypoints_of([1, 2], np.zeros((2, 2, 2)), [[2, 2], [2, 2]])
    assert match_results([result(10, 1)], evaluated, truth, SKELETON)["x"].tolist() == [1, 1, 1, 1]


def test_without_results_or_persons_an_error_is_raised() -> None:
    evaluated = persons_table((1, "v", 10, "val", False))
    truth = keypoints_of([1], np.zeros((1, 2, 2)), [[2, 2]])
    for results, persons in (([], evaluated), ([result(10, 1)], evaluated.iloc[:0]), ([result(11, 1)], evaluated)):
        with pytest.raises(MetricError, match="found none"):
            match_results(results, persons, truth, SKELETON)


def test_results_are_read(tmp_path) -> None:
    path = tmp_path / "results.json"
    records = [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 1], "score": 0.5}]
    path.write_text(json.dumps(records))
    assert read_results(path) == records


@pytest.mark.parametrize("text", ["not json", '{"annotations": []}', "[1, 2]"])
def test_file_without_results_is_an_error(tmp_path, text) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(DataError, match="results"):
        read_results(path)


def test_missing_file_is_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match="absent"):
        read_results(tmp_path / "absent.json")
