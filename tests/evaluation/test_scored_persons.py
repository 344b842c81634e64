"""Tests of posescope.evaluation.scored_persons."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton
from posescope.core.tables import CropBoxes, Keypoints, Predictions, join_joints
from posescope.evaluation.metrics.pck_thesis import joint_hits
from posescope.evaluation.scored_persons import find_neighbours, gather_cases, gather_scored, keep_joints

SKELETON = Skeleton(("nose", "tail"), ((0, 1),), (0.1, 0.2))
TRUTH = np.array([[[1, 2], [3, 4]], [[5, 6], [np.nan, np.nan]], [[7, 8], [9, 10]]])
VISIBILITY = np.array([[2, 1], [2, 0], [1, 2]], np.uint8)
# Persons 4, 2 and 9 in this order; every table has more persons than are predicted, and another order.
KEYPOINTS = Keypoints.validate(join_joints(np.array([4, 2, 9]), TRUTH, VISIBILITY, "visibility"))
PERSONS = pd.DataFrame(
    {
        "person_id": [9, 4, 2],
        "image_id": [90, 40, 20],
        "bbox_x": [9.5, 4.5, 2.5],
        "bbox_y": 0.5,
        "bbox_w": 10.0,
        "bbox_h": [90.0, 40.0, 20.0],
        "area": [900.0, 400.0, 200.0],
    }
)
BOXES = CropBoxes.validate(
    pd.DataFrame({"person_id": [2, 9, 4], "left": 0, "top": 0, "side": 8, "a": [2.0, 9.0, 4.0]} | dict.fromkeys("bcdef", 0.0))
)
PREDICTIONS = Predictions.validate(
    join_joints(np.array([9, 2]), TRUTH[[2, 1]] + 0.5, np.array([[0.9, 0.8], [0.7, 0.6]]), "score").fillna(1)
)


def gather(predictions, boxes=BOXES, evaluated_ids=None):
    return gather_scored(predictions, PERSONS, KEYPOINTS, boxes, SKELETON, (16, 32), evaluated_ids)


def test_arrays_are_of_the_predicted_persons_in_ascending_order():
    found = gather(PREDICTIONS)
    assert found.person_ids.tolist() == [2, 9]
    assert found.image_ids.tolist() == [20, 90]
    np.testing.assert_array_equal(found.truth, TRUTH[[1, 2]])
    np.testing.assert_array_equal(found.visibility, VISIBILITY[[1, 2]])
    np.testing.assert_array_equal(found.predicted, [[[5.5, 6.5], [1, 1]], [[7.5, 8.5], [9.5, 10.5]]])
    np.testing.assert_allclose(found.scores, [[0.7, 0.6], [0.9, 0.8]], rtol=1e-6)
    assert found.boxes.tolist() == [[2.5, 0.5, 10, 20], [9.5, 0.5, 10, 90]]
    assert found.areas.tolist() == [200, 900]
    assert found.crop_from_image[:, 0, 0].tolist() == [2, 9]
    assert (found.crop_size, found.skeleton) == ((16, 32), SKELETON)
    assert found.found.all()


def test_persons_score_is_the_mean_of_its_joints_or_that_of_its_result():
    evaluated_ids = np.array([4, 9])
    found = gather(PREDICTIONS, evaluated_ids=evaluated_ids)
    assert found.result_scores is None
    np.testing.assert_allclose(found.person_scores, [0.65, np.nan, 0.85], rtol=1e-6)
    own = Predictions.validate(PREDICTIONS.assign(person_score=PREDICTIONS["person_id"] / 10))
    np.testing.assert_allclose(gather(own, evaluated_ids=evaluated_ids).person_scores, [0.2, np.nan, 0.9], rtol=1e-6)


def test_evaluated_persons_without_prediction_are_added():
    found = gather(PREDICTIONS, BOXES[BOXES["person_id"] != 4], evaluated_ids=np.array([4, 9]))
    assert found.person_ids.tolist() == [2, 4, 9]
    assert found.found.tolist() == [True, False, True]
    assert np.isnan(found.predicted[1]).all()
    assert np.isnan(found.scores[1]).all()
    np.testing.assert_array_equal(found.truth[1], TRUTH[0])
    assert np.isnan(found.crop_from_image).any(axis=(1, 2)).tolist() == [False, True, False]
    missed = gather(Predictions.empty(), evaluated_ids=np.array([4]))
    assert (missed.person_ids.tolist(), missed.found.tolist()) == ([4], [False])


def test_without_predictions_the_arrays_are_empty():
    found = gather(Predictions.empty())
    assert (len(found), found.boxes.shape, found.crop_from_image.shape) == (0, (0, 4), (0, 2, 3))


def test_predicted_person_without_annotation_is_an_error():
    unknown = PREDICTIONS.assign(person_id=PREDICTIONS["person_id"].replace(2, 3))
    with pytest.raises(DataError, match="Person 3"):
        gather(unknown)


def test_crop_coordinates_are_those_of_the_table():
    in_crop = np.array([[[1.25, 2.5], [3, 4]], [[5, 6], [7, 8]]])
    table = PREDICTIONS.sort_values(["person_id", "joint"]).assign(crop_x=in_crop[..., 0].ravel(), crop_y=in_crop[..., 1].ravel())
    found = gather(Predictions.validate(table), evaluated_ids=np.array([4]))
    np.testing.assert_array_equal(found.predicted_crop[[0, 2]], in_crop)
    assert np.isnan(found.predicted_crop[1]).all()


def test_crop_coordinates_are_mapped_without_the_columns_of_the_table():
    found = gather(PREDICTIONS)
    # The maps multiply x by 2 (person 2) and 9 (person 9), and set y to 0.
    np.testing.assert_array_equal(found.predicted_crop, [[[11, 0], [2, 0]], [[67.5, 0], [85.5, 0]]])
    np.testing.assert_array_equal(found.truth_crop, [[[10, 0], [np.nan, np.nan]], [[63, 0], [81, 0]]])


def test_crop_coordinates_are_nan_without_a_crop():
    found = gather(PREDICTIONS, BOXES[BOXES["person_id"] != 2])
    assert np.isnan(found.predicted_crop).all(axis=(1, 2)).tolist() == [True, False]
    assert np.isnan(found.truth_crop).all(axis=(1, 2)).tolist() == [True, False]
    assert found.measurable_in_crop.tolist() == [False, True]


def persons_table(rows) -> pd.DataFrame:
    columns = ["person_id", "source_split", "image_id", "is_crowd", "area"]
    return pd.DataFrame(rows, columns=columns).assign(bbox_x=0.0, bbox_y=0.0, bbox_w=10.0, bbox_h=10.0)


def joints_for(ids) -> pd.DataFrame:
    points = np.repeat(np.asarray(ids, dtype=np.float64)[:, None, None], 2, axis=1).repeat(2, axis=2)
    return join_joints(np.asarray(ids), points, np.full((len(ids), 2), 2, np.uint8), "visibility")


def test_neighbours_are_of_the_same_image_and_split_without_crowds() -> None:
    # Image 1 of val holds 10, 11 and a crowd; image 1 of train is another image.
    persons = persons_table(
        [(5, "train", 1, False, 1.0), (10, "val", 1, False, 2.0), (11, "val", 1, False, 3.0), (12, "val", 1, True, 4.0),
         (13, "val", 2, False, 5.0)]
    )  # fmt: skip
    found = find_neighbours(np.array([10, 13]), persons, joints_for([5, 10, 11, 12, 13]))
    assert found.rows.tolist() == [0]
    assert found.areas.tolist() == [3.0]
    np.testing.assert_array_equal(found.joints, [[[11, 11], [11, 11]]])
    assert found.boxes.tolist() == [[0, 0, 10, 10]]


def test_neighbours_are_all_pairs_of_an_image() -> None:
    persons = persons_table([(n, "val", 1, False, float(n)) for n in range(4)])
    found = find_neighbours(np.arange(4), persons, joints_for(range(4)))
    assert sorted(zip(found.rows.tolist(), found.areas.astype(int).tolist(), strict=True)) == [
        (a, b) for a in range(4) for b in range(4) if a != b
    ]


def test_missed_person_is_a_case() -> None:
    persons = persons_table([(n, "val", n, False, 1.0) for n in range(3)]).assign(image_h=20, image_w=30)
    keypoints = joints_for(range(3))
    predictions = join_joints(np.array([1]), np.zeros((1, 2, 2)), np.ones((1, 2), np.float32), "score")
    boxes = pd.DataFrame({"person_id": [0, 1], **dict.fromkeys("abcdef", 1.0)})
    cases = gather_cases(predictions, persons, keypoints, boxes, Skeleton(("a", "b"), (), (0.1, 0.1)), (8, 8), np.array([1, 2]))
    assert (cases.scored.person_ids.tolist(), cases.scored.found.tolist()) == ([1, 2], [True, False])
    assert cases.image_sizes.tolist() == [[20, 30]] * 2
    # Person 2 has neither a prediction nor a crop: no hit.
    assert joint_hits(cases.scored)[1].tolist() == [0, 0]


def test_joints_that_do_not_count_become_unlabelled():
    scored = gather(PREDICTIONS)
    kept = keep_joints(scored, ["tail", "wing"])
    np.testing.assert_array_equal(kept.visibility[:, 0], 0)
    np.testing.assert_array_equal(kept.visibility[:, 1], scored.visibility[:, 1])
    assert np.isnan(kept.truth[:, 0]).all()
    assert np.isnan(kept.truth_crop[:, 0]).all()
    np.testing.assert_array_equal(kept.truth[:, 1], scored.truth[:, 1])
    np.testing.assert_array_equal(kept.predicted, scored.predicted)
    assert scored.visibility.any(axis=0).all(), "the input is unchanged"
