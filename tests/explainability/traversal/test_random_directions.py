import numpy as np
import pytest

from posescope.explainability.traversal.random_directions import (
    EndSteps,
    compare_ends,
    ends_with_data_covariance,
    find_end_steps,
)


@pytest.fixture
def compare(ankle_components, decode_ankles):
    def run(component: int, low: float = -3, high: float = 3, directions: int = 50) -> np.ndarray:
        mean_joints = decode_ankles(np.zeros((1, 100)))[0]
        ends = EndSteps(low, high)
        return compare_ends(ankle_components, component, ends, directions, seed=0, decode=decode_ankles, mean_joints=mean_joints)

    return run


def test_displacement_of_the_component_exceeds_that_of_random_directions(compare) -> None:
    found = compare(0)
    # 3 sd of 2 units are 12 px for two of 17 joints.
    assert found[0] == pytest.approx(12 * 2 / 17, rel=1e-4)
    # The mean absolute coordinate of a unit vector in 100 dimensions is sqrt(2 / pi) / 10 = 0.08.
    assert found[1:].mean() == pytest.approx(0.0798 * found[0], rel=0.3)
    assert compare(1)[0] == 0


def test_end_steps_include_the_mean() -> None:
    assert find_end_steps(np.array([1.0, 2.0])) == EndSteps(0, 2)
    assert not find_end_steps(np.array([0.0]))
    assert str(EndSteps(-3, 3)) == "±3 sd"
    assert str(EndSteps(-1, 2)) == "-1 and +2 sd"


def test_directions_with_data_covariance_lie_in_the_span_of_the_components(ankle_components) -> None:
    found = ends_with_data_covariance(ankle_components, 0, EndSteps(-3, 1), 4000, seed=0)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), np.tile([6.0, 2.0], (4001, 1)))
    np.testing.assert_allclose(found[0, :, 0], [-6, 2])
    assert np.abs(found[..., 2:]).max() == 0
    # With standard deviations 2 and 1, the first coordinate is the larger one for atan(2) = 63 of 90 degrees.
    first = (np.abs(found[1:, 1, 0]) > np.abs(found[1:, 1, 1])).mean()
    assert first == pytest.approx(np.arctan(2) / (np.pi / 2), abs=0.03)
