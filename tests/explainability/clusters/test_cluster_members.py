"""Tests of posescope.explainability.clusters.cluster_members: silhouettes, distances and medoids of points on a line."""

import numpy as np

from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.clusters.cluster_members import assign_persons, measure_members

# Groups 0, 1, 5 with the centre 2, and 20, 21, 25 with the centre 22.
POINTS = np.array([[0.0], [1], [5], [20], [21], [25]])
CENTRES = np.array([[2.0], [22]])
LABELS = np.array([0, 0, 0, 1, 1, 1])


def test_all_persons_by_hand() -> None:
    found = measure_members(POINTS, LABELS, CENTRES, 10, 0)
    assert found.distance_to_centre.tolist() == [2, 1, 3, 2, 1, 3]
    assert found.medoids.tolist() == [1, 4]  # mean distances 3, 2.5, 4.5 and 3, 2.5, 4.5
    assert found.sizes.tolist() == [3, 3]
    np.testing.assert_allclose(found.silhouettes[0], (22 - 3) / 22)


def test_sample_leaves_other_silhouettes_unknown() -> None:
    found = measure_members(POINTS, LABELS, CENTRES, 2, 0)
    assert np.isfinite(found.silhouettes).sum() == len(found.rows) == 2
    assert np.isfinite(found.distance_to_centre).all()


def test_persons_belong_to_the_nearest_centre() -> None:
    assert assign_persons(POINTS.astype(np.float32), np.array([[3.0], [20.9], [90.0]])).tolist() == LABELS.tolist()


def test_group_without_persons_has_no_medoid() -> None:
    found = measure_members(POINTS[:3], LABELS[:3], CENTRES, 10, 0)
    assert found.medoids.tolist() == [1, -1]
    assert np.isnan(found.silhouettes).all()
    groups = np.arange(3)
    assert not found.interval(groups, resample_images(groups, 0, 100)).is_known
