import numpy as np
import pytest
from pydantic import ValidationError

from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.metrics.pck import Pck, PckOptions


def test_reach_is_a_fraction_of_the_longer_side(make_scored) -> None:
    # Longer side 100 px, alpha 0.2: a reach of exactly 20 px counts.
    truth = [[[0, 0], [0, 0], [0, 0], [np.nan, np.nan]]]
    predicted = [[[20, 0], [20.01, 0], [12, 16], [0, 0]]]  # 20; 20.01; sqrt(144 + 256) = 20; unlabelled
    found = Pck(PckOptions())(make_scored(predicted, truth, [[2, 2, 1, 0]]))
    assert found.metric_values == {"pck@0.2": pytest.approx(2 / 3)}
    np.testing.assert_array_equal(found.per_joint["pck@0.2"], [1.0, 0.0, 1.0, np.nan])


def test_averages_over_joints_not_persons(make_scored) -> None:
    scored = make_scored([[[0, 0], [90, 0]], [[0, 0], [0, 0]]], [[[0, 0], [0, 0]], [[0, 0], [np.nan] * 2]], [[2, 2], [2, 0]])
    assert Pck(PckOptions(alpha=0.1))(scored).metric_values == {"pck@0.1": pytest.approx(2 / 3)}  # by person: (1/2 + 1) / 2


def test_without_persons_the_value_is_nan(make_scored) -> None:
    found = Pck(PckOptions())(make_scored(np.empty((0, 2, 2)), np.empty((0, 2, 2)), np.empty((0, 2))))
    assert np.isnan(found.metric_values["pck@0.2"])


def test_alpha_is_bounded() -> None:
    with pytest.raises(ValidationError):
        PckOptions(alpha=0)


TORSO = ("left_shoulder", "right_hip", "nose")


def test_torso_by_hand(make_scored) -> None:
    # Shoulder to hip is 50 px (30, 40), so 0.2 of it is 10 px: a nose with an error of 10 px is correct, one with 11 px is not.
    truth = [[[0, 0], [30, 40], [100, 0]], [[0, 0], [30, 40], [100, 0]]]
    predicted = [[[0, 0], [30, 40], [110, 0]], [[0, 0], [30, 40], [111, 0]]]
    found = Pck(PckOptions(normalise="torso"))(make_scored(predicted, truth, [[2, 1, 2]] * 2, joint_names=TORSO))
    assert found.metric_values == {"pck_torso@0.2": pytest.approx(5 / 6)}
    np.testing.assert_allclose(found.per_person["pck_torso@0.2"], [1, 2 / 3])
    np.testing.assert_array_equal(found.weights["pck_torso@0.2"], [3, 3])


def test_head_by_hand(make_scored) -> None:
    # 20 px from top to neck, half of it is 10 px.
    names, truth = ("neck", "head_top", "wrist"), [[[0, 20], [0, 0], [50, 50]]]
    found = Pck(PckOptions(alpha=0.5, normalise="head"))(
        make_scored([[[0, 20], [0, 11], [50, 60]]], truth, [[2, 2, 2]], joint_names=names)
    )
    assert found.metric_values == {"pck_head@0.5": pytest.approx(2 / 3)}


def test_person_without_reference_length_does_not_count(make_scored) -> None:
    missing = [np.nan, np.nan]
    truth = [[[0, 0], [30, 40], [100, 0]], [missing, [30, 40], [100, 0]], [[5, 5], [5, 5], [100, 0]]]
    predicted = [[[0, 0], [30, 40], [0, 0]]] * 3
    scored = make_scored(predicted, truth, [[2, 2, 2], [0, 2, 2], [2, 2, 2]], joint_names=TORSO)
    found = Pck(PckOptions(normalise="torso"))(scored)
    assert found.metric_values["pck_torso@0.2"] == pytest.approx(2 / 3)  # of the first person only; the third's length is 0
    np.testing.assert_allclose(found.per_person["pck_torso@0.2"], [2 / 3, np.nan, np.nan])
    np.testing.assert_array_equal(found.weights["pck_torso@0.2"], [3, 0, 0])


@pytest.mark.parametrize(("normalise", "lacking"), [("torso", "right_hip"), ("head", "head_top")])
def test_skeleton_without_the_reference_joints_is_an_error(make_scored, normalise, lacking) -> None:
    scored = make_scored([[[0, 0], [0, 0]]], [[[0, 0], [0, 0]]], [[2, 2]], joint_names=("left_shoulder", "nose"))
    with pytest.raises(MetricError, match=lacking):
        Pck(PckOptions(normalise=normalise))(scored)


def test_person_without_prediction_has_no_hit(make_scored) -> None:
    missing = [[np.nan, np.nan]] * 2
    found = Pck(PckOptions())(make_scored([missing, [[0, 0]] * 2], [[[0, 0]] * 2] * 2, [[2, 2], [2, 0]]))
    assert found.metric_values["pck@0.2"] == pytest.approx(1 / 3)
    np.testing.assert_array_equal(found.per_person["pck@0.2"], [0, 1])
