import numpy as np
import pytest
from pydantic import ValidationError

from posescope.metrics.pck import Pck, PckOptions


def test_reach_is_a_share_of_the_longer_side(make_scored) -> None:
    # Longer side 100 px, alpha 0.2: a reach of exactly 20 px counts.
    truth = [[[0, 0], [0, 0], [0, 0], [np.nan, np.nan]]]
    predicted = [[[20, 0], [20.01, 0], [12, 16], [0, 0]]]  # 20; 20.01; sqrt(144 + 256) = 20; unlabelled
    found = Pck(PckOptions())(make_scored(predicted, truth, [[2, 2, 1, 0]]))
    assert found.figures == {"pck@0.2": pytest.approx(2 / 3)}
    np.testing.assert_array_equal(found.per_joint["pck@0.2"], [1.0, 0.0, 1.0, np.nan])
    assert found.per_visibility["pck@0.2"] == {1: 1.0, 2: 0.5}


def test_averages_over_joints_not_persons(make_scored) -> None:
    scored = make_scored([[[0, 0], [90, 0]], [[0, 0], [0, 0]]], [[[0, 0], [0, 0]], [[0, 0], [np.nan] * 2]], [[2, 2], [2, 0]])
    assert Pck(PckOptions(alpha=0.1))(scored).figures == {"pck@0.1": pytest.approx(2 / 3)}  # by person: (1/2 + 1) / 2


def test_nobody_has_no_figure(make_scored) -> None:
    found = Pck(PckOptions())(make_scored(np.empty((0, 2, 2)), np.empty((0, 2, 2)), np.empty((0, 2))))
    assert np.isnan(found.figures["pck@0.2"])


def test_alpha_is_bounded() -> None:
    with pytest.raises(ValidationError):
        PckOptions(alpha=0)
