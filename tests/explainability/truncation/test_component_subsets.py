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
from posescope.explainability.truncation.person_spans import draw_person_spans

VALUES = np.random.default_rng(0).normal(size=(30, 4)) * [4.0, 3.0, 2.0, 1.0] + 5
FEATURES = FeatureSet(np.arange(30), VALUES, "layer", (4, 1, 1))
COMPONENTS = principal_components(FEATURES)
SPANS = draw_person_spans(FEATURES, COMPONENTS.mean, draws=2, largest=4, seed=0)
DRAWS = np.arange(30) % 2


def reconstruct(subset: ComponentSubset) -> np.ndarray:
    features = TruncatedFeatures(COMPONENTS, VALUES, (4, 1, 1), SPANS, DRAWS, torch.device("cpu"))
    return features.reconstruct(subset).numpy()[:, :, 0, 0]


def test_no_components_give_the_mean_and_all_give_the_features() -> None:
    np.testing.assert_allclose(reconstruct(ComponentSubset("first", 0)), np.tile(COMPONENTS.mean, (30, 1)), atol=1e-5)
    for subset in (ComponentSubset("first", 4), ComponentSubset("last", 4), ComponentSubset("persons", 4), INTACT):
        np.testing.assert_allclose(reconstruct(subset), VALUES, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_first_and_last_components_add_up_to_the_features(count) -> None:
    first, last = reconstruct(ComponentSubset("first", count)), reconstruct(ComponentSubset("last", 4 - count))
    np.testing.assert_allclose(first + last - COMPONENTS.mean, VALUES, atol=1e-5)
    np.testing.assert_allclose(COMPONENTS.project(first)[:, count:], 0, atol=1e-5)


def test_features_are_projected_on_the_persons_of_their_draw() -> None:
    found = reconstruct(ComponentSubset("persons", 2)) - COMPONENTS.mean
    centred = VALUES - COMPONENTS.mean
    for row, draw in enumerate(DRAWS):
        persons = centred[SPANS.rows[draw, :2]]
        weights, *_ = np.linalg.lstsq(persons.T, centred[row], rcond=None)
        np.testing.assert_allclose(found[row], weights @ persons, atol=1e-4)


def test_none_and_all_of_the_components_are_the_first_ones() -> None:
    assert (subset_of("last", 0, 9), subset_of("persons", 9, 9)) == (ComponentSubset("first", 0), ComponentSubset("first", 9))
    assert subset_of("last", 5, 9) == ComponentSubset("last", 5)
