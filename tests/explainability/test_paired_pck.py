import numpy as np
import pytest

from posescope.explainability.paired_pck import PairedPck

LABELLED = np.array([[True, True], [True, False], [True, True]])
BEFORE = np.array([[True, True], [True, False], [True, False]])
AFTER = np.array([[False, True], [True, False], [False, True]])


@pytest.fixture
def scores() -> PairedPck:
    return PairedPck(LABELLED, np.arange(3), seed=0, resamples=100)


def test_means_over_persons_equal_the_hand_computed_ones(scores) -> None:
    assert scores.pck(BEFORE).estimate == pytest.approx((1 + 1 + 0.5) / 3)
    # Per person: 1/2 lost, nothing, one lost and one gained.
    assert scores.drop(BEFORE, AFTER).estimate == pytest.approx((0.5 + 0 + 0) / 3)


def test_joint_values_equal_the_hand_computed_ones(scores) -> None:
    np.testing.assert_allclose(scores.joint_pck(AFTER), [1 / 3, 1.0])
    first, second = scores.joint_drops(BEFORE, AFTER)
    assert (first.estimate, second.estimate) == (pytest.approx(2 / 3), pytest.approx(-0.5))
    assert first.low <= first.estimate <= first.high
    assert scores.contrast(BEFORE, AFTER, [0], [1]).estimate == pytest.approx(2 / 3 + 0.5)


def test_drop_between_equal_hits_is_zero(scores) -> None:
    drop = scores.drop(BEFORE, BEFORE)
    assert (drop.estimate, drop.low, drop.high) == (0.0, 0.0, 0.0)


def test_joint_without_labels_is_nan() -> None:
    scores = PairedPck(LABELLED & [True, False], np.arange(3), seed=0, resamples=100)
    assert np.isnan(scores.joint_pck(AFTER)[1])
    assert np.isnan(scores.joint_drops(BEFORE, AFTER)[1].estimate)
    assert np.isnan(scores.contrast(BEFORE, AFTER, [0], [1]).estimate)
