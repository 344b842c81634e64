import numpy as np
import pytest
import torch

from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.truncation.component_subsets import (
    INTACT,
    ComponentSubset,
    TruncatedFeatures,
    component_counts,
    sample_axis_orders,
    subset_of,
)

VALUES = np.random.default_rng(0).normal(size=(30, 4)) * [4.0, 3.0, 2.0, 1.0] + 5
COMPONENTS = principal_components(FeatureSet(np.arange(30), VALUES, "layer", (4, 1, 1)))
ORDERS = sample_axis_orders(30, 4, seed=0)


def keep(kept: ComponentSubset) -> np.ndarray:
    return TruncatedFeatures(COMPONENTS, VALUES, (4, 1, 1), ORDERS, torch.device("cpu")).keep(kept).numpy()[:, :, 0, 0]


def test_none_is_the_mean_and_all_is_everything() -> None:
    np.testing.assert_allclose(keep(ComponentSubset("first", 0)), np.tile(COMPONENTS.mean, (30, 1)), atol=1e-5)
    for kept in (ComponentSubset("first", 4), ComponentSubset("last", 4), ComponentSubset("random", 4), INTACT):
        np.testing.assert_allclose(keep(kept), VALUES, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_first_and_the_last_are_the_whole_together(count) -> None:
    first, last = keep(ComponentSubset("first", count)), keep(ComponentSubset("last", 4 - count))
    np.testing.assert_allclose(first + last - COMPONENTS.mean, VALUES, atol=1e-5)
    np.testing.assert_allclose(COMPONENTS.project(first)[:, count:], 0, atol=1e-5)


def test_everybody_has_a_draw_of_their_own() -> None:
    scores, whole = COMPONENTS.project(keep(ComponentSubset("random", 2))), COMPONENTS.project(VALUES)
    for row, order in enumerate(ORDERS):
        np.testing.assert_allclose(scores[row, order[:2]], whole[row, order[:2]], atol=1e-5)
        np.testing.assert_allclose(scores[row, order[2:]], 0, atol=1e-5)
    assert len({tuple(order) for order in ORDERS}) > 10
    np.testing.assert_array_equal(np.sort(ORDERS, axis=1), np.tile(np.arange(4), (30, 1)))


def test_counts() -> None:
    assert component_counts((1, 5, 10, 20), 10) == [0, 1, 5, 10]
    assert component_counts((), 3) == [0, 3]
    assert (subset_of("last", 0, 9), subset_of("random", 9, 9)) == (ComponentSubset("first", 0), ComponentSubset("first", 9))
    assert subset_of("last", 5, 9) == ComponentSubset("last", 5)
