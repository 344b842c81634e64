import numpy as np
import pytest

from posescope.explainability.traversal.random_directions import (
    assign_persons,
    covariance_directions,
    mean_joint_distances_px,
)


def test_directions_have_the_covariance_of_the_data(ankle_components) -> None:
    found = covariance_directions(ankle_components, 4000, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    assert np.abs(found[:, 2:]).max() == 0
    # With standard deviations 2 and 1, the first coordinate is the larger one for atan(2) = 63 of 90 degrees.
    first = (np.abs(found[:, 0]) > np.abs(found[:, 1])).mean()
    assert first == pytest.approx(np.arctan(2) / (np.pi / 2), abs=0.03)


def test_each_direction_has_different_persons_and_all_occur_about_equally_often() -> None:
    rows = assign_persons(10, 25, 4, np.random.default_rng(0))
    assert rows.shape == (25, 4)
    assert all(len(set(own)) == 4 for own in rows.tolist())
    counts = np.bincount(rows.ravel(), minlength=10)
    assert counts.sum() == 100
    assert counts.min() >= 6


@pytest.mark.parametrize(("persons", "each", "width"), [(3, 8, 3), (0, 8, 0)])
def test_few_persons_are_all_assigned(persons, each, width) -> None:
    assert assign_persons(persons, 5, each, np.random.default_rng(0)).shape == ((5, width) if persons else (0, 0))


def test_distance_is_the_mean_over_joints() -> None:
    assert mean_joint_distances_px(np.zeros((1, 2, 2)), np.array([[[3.0, 4.0], [0.0, 0.0]]])).tolist() == [2.5]
