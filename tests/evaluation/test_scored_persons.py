"""Tables become the arrays that metrics read, person by person."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton
from posescope.core.tables import CropBoxes, Keypoints, Predictions, empty_table, join_joints
from posescope.evaluation.scored_persons import gather_scored

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


def gather(predictions, boxes=BOXES, wanted=None):
    return gather_scored(predictions, PERSONS, KEYPOINTS, boxes, SKELETON, (16, 32), wanted)


def test_everything_is_of_the_predicted_persons_in_ascending_order():
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
    assert (found.crop_size, found.oks_sigmas) == ((16, 32), (0.1, 0.2))
    assert found.joint_names == ("nose", "tail")
    assert found.found.all()


def test_a_persons_score_is_the_mean_of_its_joints_unless_it_has_one_of_its_own():
    wanted = np.array([4, 9])
    found = gather(PREDICTIONS, wanted=wanted)
    assert found.result_scores is None
    np.testing.assert_allclose(found.person_scores, [0.65, np.nan, 0.85], rtol=1e-6)
    own = Predictions.validate(PREDICTIONS.assign(person_score=PREDICTIONS["person_id"] / 10))
    np.testing.assert_allclose(gather(own, wanted=wanted).person_scores, [0.2, np.nan, 0.9], rtol=1e-6)


def test_the_wanted_without_prediction_are_missed():
    found = gather(PREDICTIONS, BOXES[BOXES["person_id"] != 4], wanted=np.array([4, 9]))
    assert found.person_ids.tolist() == [2, 4, 9]
    assert found.found.tolist() == [True, False, True]
    assert np.isnan(found.predicted[1]).all()
    assert np.isnan(found.scores[1]).all()
    np.testing.assert_array_equal(found.truth[1], TRUTH[0])
    assert np.isnan(found.crop_from_image).any(axis=(1, 2)).tolist() == [False, True, False]
    everybody = gather(empty_table(Predictions), wanted=np.array([4]))
    assert (everybody.person_ids.tolist(), everybody.found.tolist()) == ([4], [False])


def test_nobody():
    found = gather(empty_table(Predictions))
    assert (len(found), found.boxes.shape, found.crop_from_image.shape) == (0, (0, 4), (0, 2, 3))


def test_a_predicted_person_without_annotation_is_an_error():
    stranger = PREDICTIONS.assign(person_id=PREDICTIONS["person_id"].replace(2, 3))
    with pytest.raises(DataError, match="Person 3 is not in the table of joints"):
        gather(stranger)
