"""Tests of posescope.explainability.clustering.base."""

import numpy as np
import pytest

from posescope.explainability.clustering.base import (
    ClustererOptions,
    Clustering,
    cluster_range,
    sort_by_size,
)
from posescope.explainability.errors import ExplainabilityError


def test_clustering_with_an_empty_cluster_is_refused() -> None:
    with pytest.raises(ExplainabilityError, match="centres"):
        Clustering(np.array([0, 1, 1]), np.zeros((3, 2)), {})
    with pytest.raises(ExplainabilityError, match="two"):
        Clustering(np.array([0, 0]), np.zeros((1, 2)), {})


def test_clusters_are_sorted_by_size_and_empty_ones_dropped() -> None:
    labels, centres = sort_by_size(np.array([3, 0, 0, 3, 3]), np.array([[0.0], [1], [2], [3]]))
    assert labels.tolist() == [0, 1, 1, 0, 0]
    assert centres.ravel().tolist() == [3, 0]


def test_numbers_of_clusters_are_below_the_number_of_points() -> None:
    options = ClustererOptions(smallest=2, largest=6)
    assert list(options.counts_for(np.zeros((20, 1)), "any")) == [2, 3, 4, 5, 6]
    assert list(options.counts_for(np.zeros((4, 1)), "any")) == [2, 3]
    with pytest.raises(ExplainabilityError, match="any"):
        options.counts_for(np.zeros((2, 1)), "any")


def test_clusterer_of_one_number_gives_that_number() -> None:
    def clusterer(points: np.ndarray, seed: int = 0) -> Clustering:
        return Clustering(np.array([0, 0, 1]), np.zeros((2, 1)))

    assert list(cluster_range(clusterer, np.zeros((3, 1)), 0, [2, 3])) == [2]
