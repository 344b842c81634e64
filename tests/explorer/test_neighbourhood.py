"""Tests of posescope.explorer.neighbourhood."""

import numpy as np
import pytest

from posescope.explainability.features.feature_store import FeatureSet
from posescope.explorer.neighbourhood import Neighbourhood


def features_of(values: list[list[float]]) -> FeatureSet:
    found = np.array(values, dtype=np.float16)
    return FeatureSet(np.arange(len(found)) + 10, found, "bottleneck", (found.shape[1],))


def on_a_line(groups: list[int] | None = None) -> Neighbourhood:
    """Return persons at 0, 3, 4 and 10; by default each in an image of its own."""
    return Neighbourhood(features_of([[0, 0], [3, 0], [4, 0], [10, 0]]), np.array(groups or [0, 1, 2, 3]))


def test_nearest_persons_by_euclidean_distance() -> None:
    found = on_a_line().nearest(np.array([3, 4.0]), 3)
    np.testing.assert_array_equal(found.rows, [1, 2, 0])
    np.testing.assert_allclose(found.distances, [4, np.sqrt(17), 5])


def test_first_person_of_equals_and_no_more_than_there_are() -> None:
    found = Neighbourhood(features_of([[1, 1], [1, 1]]), np.array([0, 1])).nearest(np.array([1, 1]), 5)
    np.testing.assert_array_equal(found.rows, [0, 1])
    np.testing.assert_array_equal(found.distances, [0, 0])


def test_quantile_among_the_persons_own_distances() -> None:
    persons = on_a_line()  # nearest neighbours at 3, 1, 1 and 6
    assert [persons.own_distances.quantile(distance) for distance in (0, 1, 2, 4, 7)] == [0, 0, 0.5, 0.75, 1]


def test_neighbours_in_the_same_image_do_not_count() -> None:
    persons = on_a_line([0, 1, 1, 3])  # 3 and 4 are in one image: nearest neighbours at 3, 3, 4 and 6
    assert [persons.own_distances.quantile(distance) for distance in (2, 3.5, 5)] == [0, 0.5, 0.75]


def test_persons_of_one_image_have_no_quantile() -> None:
    assert np.isnan(on_a_line([0, 0, 0, 0]).own_distances.quantile(1.0))


@pytest.mark.parametrize("count", [1500])
def test_agrees_with_scikit_learn(count: int) -> None:
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415

    rng = np.random.default_rng(0)
    values, point = rng.normal(size=(count, 20)).astype(np.float16), rng.normal(size=20).astype(np.float16)
    persons = Neighbourhood(FeatureSet(np.arange(count), values, "bottleneck", (20,)), np.arange(count))
    distances, rows = NearestNeighbors(n_neighbors=8).fit(values.astype(np.float64)).kneighbors(point[None].astype(np.float64))
    found = persons.nearest(point, 8)
    np.testing.assert_array_equal(found.rows, rows[0])
    np.testing.assert_allclose(found.distances, distances[0], rtol=1e-5)
