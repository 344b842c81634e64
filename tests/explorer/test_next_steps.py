"""Sentences on what to do next with a person."""

import numpy as np

from posescope.core.skeleton import Skeleton
from posescope.explorer.next_steps import PersonEvidence, suggest_next_steps
from posescope.explorer.table_metadata import SliceAbout

SKELETON = Skeleton(("nose", "left_hand", "right_hand"), (), (0.1, 0.1, 0.1))
TRUE = np.array([[10.0, 10, 2], [0, 20, 2], [30, 20, 1]])


def steps(predicted: np.ndarray, *, error: float = 0.95, radius: float = 0.7, true: np.ndarray = TRUE, slices: tuple = ()) -> str:
    evidence = PersonEvidence(true, np.c_[predicted, np.ones(3)], error, radius, slices)
    return " ".join(suggest_next_steps(evidence, SKELETON))


def test_largest_distance_is_named() -> None:
    text = steps(TRUE[:, :2] + [[0, 0], [3, 4], [1, 0]])
    assert "5.0 px" in text
    assert "left hand" in text
    assert "exchanged" not in text


def test_certain_and_uncertain_predictions_have_different_advice() -> None:
    moved = TRUE[:, :2] + [[0, 0], [3, 4], [1, 0]]
    assert "wrong annotations" in steps(moved, radius=0.2)
    assert "train on" in steps(moved, radius=0.99)
    assert "certain" not in steps(moved, radius=float("nan"))


def test_exchanged_sides_are_noticed() -> None:
    assert "exchanged" in steps(TRUE[[0, 2, 1], :2])


def test_small_errors_need_nothing() -> None:
    assert "Nothing needs to be done" in steps(TRUE[:, :2], error=0.3)
    assert "70%" in steps(TRUE[:, :2], error=0.3)


def test_unlabelled_person_is_to_be_labelled() -> None:
    assert "unknown" in steps(TRUE[:, :2], true=np.array([[np.nan, np.nan, 0]] * 3), error=float("nan"))


def test_group_comes_first() -> None:
    group = SliceAbout(id="slice-1", name="persons in dark images", persons=3, photographs=2, score=0.5, others=0.9, claimed=True)
    text = steps(TRUE[:, :2], error=0.3, slices=(group,))
    assert text.startswith("Member of the failing group “persons in dark images”: mean PCK 0.50, all others 0.90.")
