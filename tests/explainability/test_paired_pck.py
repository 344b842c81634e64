import numpy as np
import pytest

from posescope.explainability.paired_pck import PairedPck, tabulate_hits

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


def test_drop_between_equal_hits_is_zero(scores) -> None:
    drop = scores.drop(BEFORE, BEFORE)
    assert (drop.estimate, drop.low, drop.high) == (0.0, 0.0, 0.0)


def test_joint_without_labels_is_nan() -> None:
    scores = PairedPck(LABELLED & [True, False], np.arange(3), seed=0, resamples=100)
    assert np.isnan(scores.joint_pck(AFTER)[1])
    assert np.isnan(scores.joint_drops(BEFORE, AFTER)[1].estimate)
    assert np.isnan(scores.relative_contrast(BEFORE, AFTER, [0], [1]).estimate)


def test_relative_loss_is_a_fraction_of_the_correct_joints(scores) -> None:
    # Joint 0: three were correct, two are lost. Joint 1: one of two was correct, one is gained.
    assert scores.relative_loss(BEFORE, AFTER, [0]).estimate == pytest.approx(2 / 3)
    assert scores.relative_loss(BEFORE, AFTER, [0, 1]).estimate == pytest.approx((2 - 1) / 4)
    assert scores.relative_contrast(BEFORE, AFTER, [0], [1]).estimate == pytest.approx(2 / 3 + 1)


def test_equal_relative_losses_have_no_contrast_although_the_drops_differ() -> None:
    """Joint 0 is correct for all persons, joint 1 for every second one; both lose half of it."""
    labelled = np.ones((400, 2), dtype=bool)
    before = np.stack([np.ones(400, dtype=bool), np.arange(400) % 2 == 0], axis=1)
    after = before & (np.arange(400) % 4 < 2)[:, None]
    scores = PairedPck(labelled, np.arange(400), seed=0, resamples=400)
    first, second = scores.joint_drops(before, after)
    assert first.low > second.high
    contrast = scores.relative_contrast(before, after, [0], [1])
    assert contrast.estimate == pytest.approx(0.0)
    assert contrast.low < 0 < contrast.high


def test_table_of_hits_has_a_character_per_joint() -> None:
    table = tabulate_hits(np.array([7, 8, 9]), LABELLED, {"before": BEFORE, "after": AFTER}, lambda name: {"when": name})
    assert list(table.columns) == ["person_id", "when", "correct", "labelled", "hits"]
    assert table["hits"].tolist() == ["11", "1-", "10", "01", "1-", "01"]
    assert table["correct"].tolist() == [2, 1, 1, 1, 1, 1]
    assert table["labelled"].tolist() == [2, 1, 2] * 2
