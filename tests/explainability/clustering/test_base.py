"""Tests of posescope.explainability.clustering.base."""

import numpy as np
import pytest

from posescope.explainability.clustering.base import (
    ClustererOptions,
    Clustering,
    quick_variant,
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


def test_clusterer_without_a_quick_variant_is_its_own() -> None:
    def clusterer(points: np.ndarray, seed: int = 0) -> Clustering:
        raise NotImplementedError

    assert quick_variant(clusterer, 3) is clusterer
