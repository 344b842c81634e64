import numpy as np
import pytest

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.components import pca as exact
from posescope.explainability.components.pca import principal_components
from posescope.explainability.components.randomised_pca import RandomisedComponents, RandomisedComponentsOptions
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features import row_blocks as rows
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
def test_the_first_components_are_those_of_exact_pca(persons, width, monkeypatch) -> None:
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 1000)
    features = feature_set(decaying(persons, width))
    whole = principal_components(features)
    found = RandomisedComponents(RandomisedComponentsOptions(components=10, oversampling=8))(features)
    assert len(found) == 10
    np.testing.assert_allclose(found.axes, whole.axes[:10], atol=1e-5)
    np.testing.assert_allclose(found.variances[:10], whole.variances[:10], rtol=1e-6)
    assert found.total_variance == pytest.approx(features.values.astype(np.float64).var(axis=0, ddof=1).sum(), rel=1e-12)
    assert len(found.variances) == min(persons - 1, width)
    assert found.components_for(0.99) == whole.components_for(0.99)
    assert found.participation_ratio == pytest.approx(whole.participation_ratio, rel=1e-4)
    assert found.approximation == (
        f"randomised: 10 of {min(persons - 1, width)} components, 6 power iterations; the variance of the others is spread "
        "evenly over them"
    )


def test_counts_beyond_those_found_are_upper_bounds() -> None:
    features = feature_set(decaying(90, 70))
    found = RandomisedComponents(RandomisedComponentsOptions(components=3))(features)
    whole = principal_components(features)
    assert found.components_for(0.999) >= whole.components_for(0.999)
    assert (np.diff(found.variances) <= 1e-12).all()


def test_whole_rank_where_it_is_lower() -> None:
    features = feature_set(np.random.default_rng(0).normal(size=(8, 5)))
    found = RandomisedComponents(RandomisedComponentsOptions())(features)
    np.testing.assert_allclose(found.axes, principal_components(features).axes, atol=1e-8)


def test_it_is_a_plug_in_and_seeded() -> None:
    features = feature_set(decaying(40, 30))
    spec = ComponentSpec(name="randomised_pca", options={"components": 4})
    first, second = (build("reducers", spec)(features) for _ in range(2))
    np.testing.assert_array_equal(first.axes, second.axes)


@pytest.mark.parametrize(("values", "message"), [(np.ones((1, 3)), "at least 2"), (np.ones((5, 3)), "nothing varies")])
def test_nothing_to_find_is_a_named_error(values, message) -> None:
    with pytest.raises(ExplainabilityError, match=message):
        RandomisedComponents(RandomisedComponentsOptions())(feature_set(values))


def test_exact_pca_points_here_where_it_cannot_go(monkeypatch) -> None:
    monkeypatch.setattr(exact, "LARGEST_MATRIX", 4)
    with pytest.raises(ExplainabilityError, match=r"randomised_pca.*pooled over space"):
        principal_components(feature_set(np.ones((5, 5))))
