import numpy as np
import pytest

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.components import pca
from posescope.explainability.components.pca import principal_components
from posescope.explainability.components.randomised_pca import RandomisedComponents, RandomisedComponentsOptions
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features import row_blocks
from posescope.explainability.features.feature_store import FeatureSet


def feature_set(values) -> FeatureSet:
    return FeatureSet(person_ids=np.arange(len(values)), values=values, layer="t", shape=(values.shape[1],))


def decaying(persons: int, width: int) -> np.ndarray:
    """Twelve planted directions of falling variance, a little noise, and a mean far from zero."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(width, 12)))[0]
    scores = rng.normal(size=(persons, 12)) * 2.0 ** -np.arange(12) * 100
    return (scores @ directions.T + rng.normal(size=(persons, width)) * 1e-3 + 7).astype(np.float32)


@pytest.mark.parametrize(("persons", "width"), [(90, 70), (70, 90)])
def test_first_components_equal_exact_pca(persons, width, monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 1000)
    features = feature_set(decaying(persons, width))
    whole = principal_components(features)
    found = RandomisedComponents(RandomisedComponentsOptions(components=10, oversampling=8))(features)
    assert len(found) == 10
    np.testing.assert_allclose(found.axes, whole.axes[:10], atol=1e-5)
    np.testing.assert_allclose(found.variances[:10], whole.variances[:10], rtol=1e-6)
    assert found.variances.sum() == pytest.approx(features.values.astype(np.float64).var(axis=0, ddof=1).sum(), rel=1e-12)
    assert len(found.variances) == min(persons - 1, width)
    assert found.components_for(0.99) == whole.components_for(0.99)
    assert found.participation_ratio == pytest.approx(whole.participation_ratio, rel=1e-4)
    assert found.approximation.startswith(f"randomised: 10 of {min(persons - 1, width)} components, 6 power iterations")


def test_component_counts_beyond_the_computed_ones_are_upper_bounds() -> None:
    features = feature_set(decaying(90, 70))
    found = RandomisedComponents(RandomisedComponentsOptions(components=3))(features)
    whole = principal_components(features)
    assert found.components_for(0.999) >= whole.components_for(0.999)
    assert (np.diff(found.variances) <= 1e-12).all()


def test_all_components_of_features_with_a_lower_rank() -> None:
    features = feature_set(np.random.default_rng(0).normal(size=(8, 5)))
    found = RandomisedComponents(RandomisedComponentsOptions())(features)
    np.testing.assert_allclose(found.axes, principal_components(features).axes, atol=1e-8)


def test_reducer_is_a_reproducible_plugin() -> None:
    features = feature_set(decaying(40, 30))
    spec = ComponentSpec(name="randomised_pca", options={"components": 4})
    first, second = (build("reducers", spec)(features) for _ in range(2))
    np.testing.assert_array_equal(first.axes, second.axes)


@pytest.mark.parametrize(("values", "message"), [(np.ones((1, 3)), "at least 2"), (np.ones((5, 3)), "same")])
def test_features_without_components_are_refused(values, message) -> None:
    with pytest.raises(ExplainabilityError, match=message):
        RandomisedComponents(RandomisedComponentsOptions())(feature_set(values))


def test_error_of_exact_pca_names_the_randomised_one(monkeypatch) -> None:
    monkeypatch.setattr(pca, "LARGEST_MATRIX", 4)
    with pytest.raises(ExplainabilityError, match="randomised_pca"):
        principal_components(feature_set(np.ones((5, 5))))
