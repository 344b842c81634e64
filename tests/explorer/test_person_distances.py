"""Tests of posescope.explorer.person_distances."""

import numpy as np
import pytest

from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.traversal.neighbour_distances import measure_neighbour_distances, nearest_persons
from posescope.explorer import person_distances
from posescope.explorer.person_distances import PersonDistances

COUNT, WIDTH = 60, 12


def features_of(count: int = COUNT, dtype: type[np.floating] = np.float32) -> FeatureSet:
    values = (5 + np.random.default_rng(0).normal(size=(count, WIDTH)) * np.linspace(3, 1, WIDTH)).astype(dtype)
    return FeatureSet(np.arange(count), values, "layer", (WIDTH, 1, 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_moved_points_have_the_nearest_persons_of_the_whole_features(dtype: type[np.floating]) -> None:
    features = features_of(dtype=dtype)
    components = principal_components(features)
    distances = PersonDistances(features, np.arange(COUNT), components, 3)
    start, shifts = features.values[7].astype(np.float64) + 0.1, np.array([2.0, -1.0, 0.5])
    rows, found = distances.nearest(distances.from_start(start), shifts, 4)
    expected = nearest_persons(features, (start + shifts @ components.axes[:3])[None])
    assert rows[0] == expected.rows[0]
    assert found[0] == pytest.approx(expected.distances[0], rel=1e-4)
    assert list(found) == sorted(found)
    assert len(rows) == 4


def test_persons_of_one_image_can_be_left_out() -> None:
    features, groups = features_of(), np.arange(COUNT) // 2
    distances = PersonDistances(features, groups, principal_components(features), 2)
    start = distances.from_start(features.values[8].astype(np.float64))
    assert distances.nearest(start, np.zeros(2), 1)[0] == [8]
    assert not set(distances.nearest(start, np.zeros(2), COUNT, left_out=4)[0]) & {8, 9}


def test_quantile_is_that_of_the_neighbours_on_other_images() -> None:
    features, groups = features_of(), np.arange(COUNT) // 2
    distances = PersonDistances(features, groups, principal_components(features), 2)
    own = measure_neighbour_distances(features, groups, np.arange(COUNT)).distances
    assert distances.own_distances.quantile(float(np.median(own))) == pytest.approx(0.5, abs=1 / COUNT)
    assert distances.own_distances.quantile(0.0) == 0.0
    assert distances.own_distances.quantile(1e6) == 1.0


def test_persons_on_one_image_have_no_neighbours() -> None:
    features = features_of(5)
    distances = PersonDistances(features, np.zeros(5, np.int64), principal_components(features), 2)
    start = distances.from_start(features.values[0].astype(np.float64))
    assert len(distances.nearest(start, np.zeros(2), 3, left_out=0)[0]) == 0
    assert np.isnan(distances.own_distances.quantile(1.0))


def test_more_features_than_fit_in_memory_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_distances, "_MOST_NUMBERS", 20 * WIDTH)
    features = features_of()
    distances = PersonDistances(features, np.arange(COUNT), principal_components(features), 2)
    row = int(distances.rows[11])
    found, zero = distances.nearest(distances.from_start(features.values[row].astype(np.float64)), np.zeros(2), 1)
    assert len(distances.rows) == 20
    assert (found[0], zero[0]) == (row, pytest.approx(0.0, abs=1e-2))
