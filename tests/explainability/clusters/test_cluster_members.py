"""Tests of posescope.explainability.clusters.cluster_members: silhouettes, distances and medoids of points on a line."""

import numpy as np

from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clusters.cluster_members import measure_members

# Clusters 0, 1, 5 with the centre 2, and 20, 21, 25 with the centre 22.
POINTS = np.array([[0.0], [1], [5], [20], [21], [25]])
CLUSTERING = Clustering(np.array([0, 0, 0, 1, 1, 1]), np.array([[2.0], [22]]))


def test_all_persons_by_hand() -> None:
    found = measure_members(POINTS, CLUSTERING, 10, 0)
    assert found.is_exact
    assert found.distance_to_centre.tolist() == [2, 1, 3, 2, 1, 3]
    assert found.medoids.tolist() == [1, 4]  # mean distances 3, 2.5, 4.5 and 3, 2.5, 4.5
    np.testing.assert_allclose(found.silhouettes[0], (22 - 3) / 22)


def test_sample_leaves_other_silhouettes_unknown() -> None:
    found = measure_members(POINTS, CLUSTERING, 2, 0)
    assert not found.is_exact
    assert np.isfinite(found.silhouettes).sum() == len(found.rows) == 2
    assert np.isfinite(found.distance_to_centre).all()
