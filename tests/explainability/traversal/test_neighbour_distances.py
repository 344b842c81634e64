import numpy as np
import pytest

from posescope.explainability.components.pca import Components
from posescope.explainability.features import row_blocks
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.traversal.neighbour_distances import (
    fractions_beyond,
    measure_neighbour_distances,
    nearest_persons,
)


@pytest.mark.parametrize("block", [10, 4_000_000])
def test_nearest_persons_equal_brute_force(block, monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", block)
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(50, 6)) + 300).astype(np.float32)  # far from the origin: digits must not be lost
    points = rng.normal(size=(7, 6)) + 300
    distances = np.linalg.norm(values[:, None].astype(np.float64) - points, axis=-1)
    found = nearest_persons(FeatureSet(np.arange(50), values, "t", (6,)), points)
    np.testing.assert_array_equal(found.rows, distances.argmin(axis=0))
    np.testing.assert_allclose(found.distances, distances.min(axis=0), rtol=1e-6)


def test_neighbour_distances_leave_out_the_same_image() -> None:
    # 0 and 1 share an image: their neighbour is 3, at distances 3 and 2; that of 3 is 1; that of 10 is 3.
    values = np.array([[0.0], [1], [3], [10]], np.float32) + 500
    groups = np.array([7, 7, 8, 9])
    features = FeatureSet(np.arange(4), values, "t", (1,))
    found = measure_neighbour_distances(features, groups, np.arange(4))
    np.testing.assert_allclose(found.distances, [3, 2, 2, 7])
    assert found.quantiles(np.array([1.0, 2.5, 8.0])).tolist() == [0.0, 0.5, 1.0]


def test_quantiles_are_nan_if_all_persons_share_one_image() -> None:
    features = FeatureSet(np.arange(4), np.arange(4.0, dtype=np.float32)[:, None], "t", (1,))
    found = measure_neighbour_distances(features, np.zeros(4, np.int64), np.arange(4))
    assert len(found.distances) == 0
    assert np.isnan(found.quantiles(np.array([1.0]))).all()


def test_fractions_beyond_equal_the_hand_computed_ones() -> None:
    components = Components(np.zeros(2), np.eye(2), np.array([4.0, 1.0]), "t", (2,))
    values = np.array([[-4, 0], [-2.1, 1.5], [0, 0], [5, -3]], np.float32)
    found = fractions_beyond(components, FeatureSet(np.arange(4), values, "t", (2,)), 2, np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(found, [[0.5, np.nan, 0.25], [0.25, np.nan, 0.25]])
