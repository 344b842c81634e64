import numpy as np
import pytest
import torch

from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.truncation.component_subsets import (
    INTACT,
    ComponentSubset,
    TruncatedFeatures,
    subset_of,
)

VALUES = np.random.default_rng(0).normal(size=(30, 4)) * [4.0, 3.0, 2.0, 1.0] + 5
COMPONENTS = principal_components(FeatureSet(np.arange(30), VALUES, "layer", (4, 1, 1)))
ORDERS = np.random.default_rng(0).permuted(np.tile(np.arange(4), (30, 1)), axis=1)


def reconstruct(subset: ComponentSubset) -> np.ndarray:
    features = TruncatedFeatures(COMPONENTS, VALUES, (4, 1, 1), ORDERS, torch.device("cpu"))
    return features.reconstruct(subset).numpy()[:, :, 0, 0]


def test_no_components_give_the_mean_and_all_give_the_features() -> None:
    np.testing.assert_allclose(reconstruct(ComponentSubset("first", 0)), np.tile(COMPONENTS.mean, (30, 1)), atol=1e-5)
    for subset in (ComponentSubset("first", 4), ComponentSubset("last", 4), ComponentSubset("random", 4), INTACT):
        np.testing.assert_allclose(reconstruct(subset), VALUES, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_first_and_last_components_add_up_to_the_features(count) -> None:
    first, last = reconstruct(ComponentSubset("first", count)), reconstruct(ComponentSubset("last", 4 - count))
    np.testing.assert_allclose(first + last - COMPONENTS.mean, VALUES, atol=1e-5)
    np.testing.assert_allclose(COMPONENTS.project(first)[:, count:], 0, atol=1e-5)


def test_each_person_has_an_own_random_subset() -> None:
    scores, whole = COMPONENTS.project(reconstruct(ComponentSubset("random", 2))), COMPONENTS.project(VALUES)
    for row, order in enumerate(ORDERS):
        np.testing.assert_allclose(scores[row, order[:2]], whole[row, order[:2]], atol=1e-5)
        np.testing.assert_allclose(scores[row, order[2:]], 0, atol=1e-5)
    assert len({tuple(order) for order in ORDERS}) > 10
    np.testing.assert_array_equal(np.sort(ORDERS, axis=1), np.tile(np.arange(4), (30, 1)))


def test_none_and_all_of_the_components_are_the_first_ones() -> None:
    assert (subset_of("last", 0, 9), subset_of("random", 9, 9)) == (ComponentSubset("first", 0), ComponentSubset("first", 9))
    assert subset_of("last", 5, 9) == ComponentSubset("last", 5)
