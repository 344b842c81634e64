"""Tests of posescope.reporting.image_grids.worst_persons: selection, captions and drawing of the image grid."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.tables import join_joints, joints_of
from posescope.evaluation.table_schemas import join_error_types
from posescope.geometry.affine import apply_affine
from posescope.reporting.image_grids.worst_persons import describe_errors, draw_worst_persons, select_worst

SCORES = pd.DataFrame(
    {
        "person_id": [4, 5, 6, 7],
        "image_id": [1, 2, 2, 3],
        "oks": [0.5, 0.1, 0.1, np.nan],
        "pck_thesis": [0.0, 0.4, 0.2, np.nan],
    }
)


def test_persons_are_sorted_by_oks_then_by_pck() -> None:
    assert select_worst(SCORES, 50)["person_id"].tolist() == [6, 5, 4]
    assert select_worst(SCORES, 1)["person_id"].tolist() == [6]
    assert select_worst(SCORES.drop(columns="oks"), 2)["person_id"].tolist() == [4, 6]


def test_errors_are_counted_and_sorted_by_severity() -> None:
    types = pd.Series(["jitter", "good", "miss", "unlabelled", "miss", "swap"])
    assert describe_errors(types) == "2 miss, 1 swap, 1 jitter"
    assert describe_errors(pd.Series(["good", "unlabelled"])) == "no errors"


@pytest.fixture
def draw_grid(tiny_run):
    def draw(predictions, count=3):
        errors = join_error_types(np.array([4, 5, 6]), np.zeros((3, 3), dtype=np.int8))
        return draw_worst_persons(
            SCORES, errors, predictions, tiny_run.store, tiny_run.targets, tiny_run.crop_boxes, tiny_run.skeleton, count
        )

    return draw


def test_perfect_prediction_is_drawn_at_the_ground_truth(tiny_run, draw_grid) -> None:
    """All joints of persons 4 and 5 are labelled; where they are visible, both halves of a tile are identical."""
    truth = joints_of(tiny_run.keypoints, np.array([4, 5, 6]))[..., :2]
    perfect = join_joints(np.array([4, 5, 6]), np.nan_to_num(truth), np.ones((3, 3), np.float32), "score")
    grid = draw_grid(perfect)
    # Tiles have 168 + 2 + 168 px and gaps of 8 px. The worst is person 6; the second is person 5, whose joints are all visible.
    left, right = grid[8:176, 354:522], grid[8:176, 524:692]
    np.testing.assert_allclose(left.astype(int), right.astype(int), atol=1)


def test_moved_prediction_changes_only_the_right_half(tiny_run, draw_grid) -> None:
    truth = np.nan_to_num(joints_of(tiny_run.keypoints, np.array([4, 5, 6]))[..., :2])
    perfect = draw_grid(join_joints(np.array([4, 5, 6]), truth, np.ones((3, 3), np.float32), "score"))
    moved = draw_grid(join_joints(np.array([4, 5, 6]), truth + 4, np.ones((3, 3), np.float32), "score"))
    assert np.array_equal(perfect[8:176, 354:522], moved[8:176, 354:522])
    assert not np.array_equal(perfect[8:176, 524:692], moved[8:176, 524:692])


def test_grid_shows_the_requested_number_of_persons(tiny_run, draw_grid) -> None:
    truth = np.nan_to_num(joints_of(tiny_run.keypoints, np.array([4, 5, 6]))[..., :2])
    table = join_joints(np.array([4, 5, 6]), truth, np.ones((3, 3), np.float32), "score")
    assert [draw_grid(table, count).shape[1] for count in (1, 2, 3)] == [354, 700, 1046]


def test_predictions_are_mapped_to_the_crop(tiny_run) -> None:
    """`crop_from_image` maps image px to the crop px of the targets."""
    row = tiny_run.crop_boxes.set_index("person_id").loc[5]
    matrix = row[["a", "b", "c", "d", "e", "f"]].to_numpy(dtype=np.float64).reshape(2, 3)
    row_index = list(tiny_run.targets.person_ids).index(5)
    truth = joints_of(tiny_run.keypoints, np.array([5]))[0, :, :2]
    np.testing.assert_allclose(apply_affine(matrix, truth), tiny_run.targets.joints[row_index], atol=1e-4)


def test_persons_without_prediction_or_crop_are_omitted(tiny_run, draw_grid) -> None:
    """Person 5 has no prediction, so that the grid shows persons 6 and 4."""
    truth = np.nan_to_num(joints_of(tiny_run.keypoints, np.array([4, 6]))[..., :2])
    grid = draw_grid(join_joints(np.array([4, 6]), truth, np.ones((2, 3), np.float32), "score"), 3)
    assert grid.shape[1] == 700
