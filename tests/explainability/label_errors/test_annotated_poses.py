from dataclasses import replace

import numpy as np
import pytest

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.label_errors.annotated_poses import flip_pairs, mean_poses, nearest_persons


def test_pairs_and_offsets(poses) -> None:
    assert poses.pairs.tolist() == [[1, 2], [3, 4]]
    assert poses.offsets(np.arange(12.0).reshape(1, 6, 2)).tolist() == [[[-2.0, -2.0], [-2.0, -2.0]]]


def test_skeleton_without_pairs() -> None:
    assert flip_pairs((0, 1)).shape == (0, 2)


def test_unlabelled_joints_are_completed_by_the_prediction(poses) -> None:
    annotated = poses.annotated.copy()
    annotated[0, 1] = np.nan
    changed = poses.with_annotations(annotated)
    assert not changed.labelled[0, 1]
    assert changed.labelled_pairs[0].tolist() == [False, True]
    assert (changed.completed[0, 1] == poses.predicted[0, 1]).all()
    assert (changed.completed[1] == annotated[1]).all()


def test_neighbours_are_of_other_photographs() -> None:
    codes = np.array([[0.0], [0.1], [1.0], [5.0]])
    nearest = nearest_persons(codes, np.array([7, 7, 8, 9]), 1)
    assert nearest.ravel().tolist() == [2, 2, 1, 2]


def test_persons_of_one_photograph_have_no_neighbours() -> None:
    assert nearest_persons(np.zeros((2, 3)), np.array([1, 1]), 5).tolist() == [[-1, -1], [-1, -1]]
    assert nearest_persons(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), 5).shape == (0, 0)


def test_mean_pose_of_the_neighbours_that_have_the_joint(poses) -> None:
    annotated = poses.annotated.copy()
    annotated[[1, 2], 0] = np.nan
    neighbours = np.full((200, 2), -1)
    neighbours[0], neighbours[3] = (1, 4), (1, 2)
    means = mean_poses(replace(poses, annotated=annotated, neighbours=neighbours))
    assert means[0, 0] == pytest.approx(annotated[4, 0])  # person 1 lacks the joint
    assert means[0, 1] == pytest.approx((annotated[1, 1] + annotated[4, 1]) / 2)
    assert (means[3, 0] == poses.predicted[3, 0]).all()  # no neighbour has it
    assert (means[5] == poses.predicted[5]).all()  # no neighbours


def test_wrong_shapes_are_refused(poses) -> None:
    with pytest.raises(ExplainabilityError):
        replace(poses, annotated=poses.annotated[:, :2])
    with pytest.raises(ExplainabilityError):
        replace(poses, groups=poses.groups[:5])
