"""Tests of posescope.reporting.image_grids.joint_circles: circles, colours and captions."""

import numpy as np
import pandas as pd
import pytest

from posescope.artifacts.uncertainty import JointCalibration, Uncertainty
from posescope.core.tables import join_joints
from posescope.reporting.image_grids.joint_circles import draw_joint_circles, plain_ground

IDS = np.array([4, 5, 6])
SCORES = pd.DataFrame({"person_id": IDS, "image_id": [1, 2, 2], "found": True, "pck_thesis": [0.9, 0.5, 0.1]})
BLUE, ORANGE = (30, 144, 255), (213, 94, 0)


def uncertainty_of(joints, radius, limit=3.0):
    entries = tuple(
        JointCalibration(joint=name, labels=9, photographs=9, score_edges=(), radii=((radius,),), reason="" if radius else "few")
        for name in joints
    )
    return Uncertainty(
        model="0" * 16, data="d", persons=9, photographs=9, level=0.9, levels=(0.9,), max_radius_px=limit, plain=entries,
        flip_test=entries,
    )  # fmt: skip


@pytest.fixture
def draw(tiny_run):
    rows = np.searchsorted(tiny_run.targets.person_ids, IDS)
    moved = np.nan_to_num(tiny_run.targets.joints[rows]) + 2  # beside the annotated places, whose dots cover what is below
    table = join_joints(IDS, moved, np.ones((3, 3), np.float32), "score", crop_joints=moved)

    def draw_grid(radius, scores=SCORES):
        found = uncertainty_of(tiny_run.skeleton.joints, radius)
        return draw_joint_circles(scores, table, found, False, tiny_run.store, tiny_run.targets, tiny_run.skeleton)

    return draw_grid


def count(image, colour):
    return int((np.abs(image.astype(int) - colour).max(axis=2) < 12).sum())


def test_trusted_circles_are_blue_and_flagged_ones_orange(draw) -> None:
    trusted, flagged = draw(2.5), draw(5.0)
    assert count(trusted, BLUE) > 100 > count(trusted, ORANGE)
    assert count(flagged, ORANGE) > count(trusted, BLUE)  # the circles are larger


def test_joints_without_radius_have_a_dot_only(draw) -> None:
    assert 0 < count(draw(None), BLUE) < count(draw(2.5), BLUE)


def test_grid_shows_all_persons(draw) -> None:
    assert draw(2.5).shape[1] == 3 * 300 + 4 * 8
    assert draw(2.5, SCORES[:1]).shape[1] == 300 + 2 * 8


def test_ground_of_a_model_without_radii_is_plain() -> None:
    ground = plain_ground()
    assert len(np.unique(ground.image.reshape(-1, 3), axis=0)) == 1
    assert ground.text == {}
