"""Tests of posescope.prediction.video.similarities."""

import numpy as np

from posescope.core.skeleton import COCO_PERSON
from posescope.evaluation.metrics.oks import joint_similarities
from posescope.prediction.video.similarities import box_overlaps, pose_similarities


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0.0, 0, 4, 4], [2, 2, 4, 4], [10, 10, 1, 1]])
    expected = [[1, 4 / 28, 0], [4 / 28, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(box_overlaps(boxes, boxes), expected)
    assert box_overlaps(boxes[:0], boxes).shape == (0, 3)


def test_oks_is_that_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 30, (2, 3, 17, 2))
    areas = np.array([900.0, 400.0, 1600.0])
    found = pose_similarities(first, second, areas, COCO_PERSON.oks_sigmas)
    expected = joint_similarities(second, first, areas, COCO_PERSON.oks_sigmas).mean(axis=1)
    np.testing.assert_allclose(np.diag(found), expected, rtol=1e-9)


def test_missing_joints_do_not_count() -> None:
    pose = np.random.default_rng(0).uniform(0, 30, (1, 17, 2))
    half, none = pose.copy(), np.full_like(pose, np.nan)
    half[0, :9] = np.nan
    assert pose_similarities(pose, half, np.array([100.0]), COCO_PERSON.oks_sigmas).item() == 1
    assert pose_similarities(pose, none, np.array([100.0]), COCO_PERSON.oks_sigmas).item() == 0
