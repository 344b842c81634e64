import numpy as np
import pytest
from pydantic import ValidationError

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.clustering.base import RangeClusterer
from posescope.explainability.clustering.gaussian_mixture import GaussianMixture, GaussianMixtureOptions
from posescope.explainability.errors import ExplainabilityError

KINDS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [200, 150, 100]))


def wide_and_narrow() -> np.ndarray:
    """A narrow cluster inside a wide one, and one beside them; k-means would split the wide one."""
    rng = np.random.default_rng(0)
    return np.array([[0, 0, 0], [0, 0, 0], [30, 0, 0]])[KINDS] + rng.normal(size=(450, 3)) * np.array([5, 0.2, 1])[KINDS][:, None]


def test_clusters_of_different_widths_are_found() -> None:
    found = build("clusterers", ComponentSpec(name="gaussian_mixture"))(wide_and_narrow(), seed=0)
    assert len(found) == 3
    assert (found.labels == KINDS).mean() > 0.97
    assert np.linalg.norm(found.centres[2] - [30, 0, 0]) < 0.5
    assert found.silhouette == found.silhouettes[3]


def test_every_number_and_seed() -> None:
    points = wide_and_narrow()
    clusterer = GaussianMixture(GaussianMixtureOptions(largest=4, start_persons=100))
    assert isinstance(clusterer, RangeClusterer)
    assert {k: len(own) for k, own in clusterer.cluster_range(points, 0, [2, 3]).items()} == {2: 2, 3: 3}
    np.testing.assert_array_equal(clusterer(points, seed=3).labels, clusterer(points, seed=3).labels)


def test_too_few_points_and_contradictory_options_are_refused() -> None:
    with pytest.raises(ExplainabilityError, match="points"):
        GaussianMixture(GaussianMixtureOptions())(np.eye(2))
    with pytest.raises(ValidationError, match="largest"):
        GaussianMixtureOptions(smallest=5, largest=3)
