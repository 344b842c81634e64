from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.explainability.conftest import TOY_SKELETON

from posescope.explainability.base import StudyPersons
from posescope.explainability.clusters.average_skeletons import average_skeleton, draw_average_skeletons, sides_of

ROWS = np.arange(12)


@pytest.fixture
def persons(inputs_of, scattered_crops) -> StudyPersons:
    """Six persons from the front with left_dot at 10 px, six in profile: three of them look to the left."""
    joints = np.full((12, 2, 2), np.nan, np.float32)
    joints[:6, 0] = np.arange(6)[:, None]  # mean 2.5
    joints[0, 1] = 8.0  # one of six has it: too few
    joints[6:9] = [[4, 10], [6, 10]]
    joints[9:] = [[25, 10], [27, 10]]  # 31 - x: the joints of the others, exchanged
    visibility = (2 * np.isfinite(joints[..., 0])).astype(np.uint8)
    crops = scattered_crops.subset(ROWS)
    crops = replace(crops, targets=replace(crops.targets, joints=joints, visibility=visibility))
    facing = np.repeat([0.7, 0.0], 6)
    attributes = pd.DataFrame({"facing": facing, "looking_right": np.repeat([0.1, 0.2, -0.2], [6, 3, 3])})
    return inputs_of(crops, attributes=attributes).fitted


def test_side_follows_from_the_shoulders() -> None:
    attributes = pd.DataFrame({"facing": [0.5, -0.5, 0.1, np.nan]})
    assert sides_of(attributes).tolist() == ["front", "back", "side", ""]
    assert sides_of(attributes.drop(columns="facing")).tolist() == [""] * 4


def test_mean_over_labelled_joints_only(persons: StudyPersons) -> None:
    mean = average_skeleton(persons, ROWS[:6], TOY_SKELETON)
    assert mean[0].tolist() == [2.5, 2.5]
    assert np.isnan(mean[1]).all()


def test_persons_who_look_to_the_left_are_mirrored(persons: StudyPersons) -> None:
    assert average_skeleton(persons, ROWS[6:], TOY_SKELETON).tolist() == [[4, 10], [6, 10]]


def test_few_persons_have_no_average(persons: StudyPersons) -> None:
    assert np.isnan(average_skeleton(persons, ROWS[:4], TOY_SKELETON)).all()


def test_column_per_group_and_row_per_side(persons: StudyPersons) -> None:
    labels = np.repeat([0, 1], 6)
    grid = draw_average_skeletons(persons, labels, ["group 1", "group 2"], TOY_SKELETON)
    assert grid is not None
    assert grid.shape[1] == 2 * 170 + 3 * 4
    assert grid.shape[0] > 3 * 170
    unknown = replace(persons, attributes=pd.DataFrame(index=range(12)))
    assert draw_average_skeletons(unknown, labels, ["group 1", "group 2"], TOY_SKELETON) is None
