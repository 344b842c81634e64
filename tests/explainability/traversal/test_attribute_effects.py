import numpy as np
import pandas as pd
import pytest

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.traversal.attribute_effects import (
    AttributeEffect,
    AttributeScale,
    measure_effects,
    measure_scale,
    strongest_effects,
    tabulate_effects,
)

ROWS = np.array([[0, 1], [1, 2]])  # two random directions with two persons each
NONE = Interval(0.0, -0.1, 0.1)


def effects_of(lower: list[float], upper: list[float]) -> list[AttributeEffect]:
    """Effects of three persons and of two directions with two persons each."""
    groups = np.arange(3)
    poses = pd.DataFrame({"standing": [*lower, *upper]})
    return measure_effects(2, poses, ROWS, {"standing": AttributeScale(0.5, -9, 9)}, resample_images(groups, 0, 200), groups)


def test_scale_equals_the_hand_computed_one() -> None:
    poses = pd.DataFrame({"standing": np.arange(101.0), "facing": [1.0] * 9 + [np.nan] * 92, "reach": 3.0})
    assert measure_scale(poses) == {"standing": AttributeScale(34.0, 2.0, 98.0)}


def test_random_directions_of_either_sign_do_not_cancel() -> None:
    (found,) = effects_of([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.5, 0.5, -0.5, -0.5])
    assert (found.component, found.attribute) == (2, "standing")
    assert (found.own.estimate, found.own.low, found.own.high) == (2.0, 2.0, 2.0)
    assert (found.low, found.high) == (0.0, 1.0)
    assert found.random.estimate == 1.0
    assert found.is_significant


def test_unknown_attributes_are_left_out() -> None:
    nan = float("nan")
    (found,) = effects_of([0.0, nan, 0.0, nan, 0.0, 0.0, 0.0], [1.0, 1.0, 2.0, 0.5, 0.5, 0.5, 0.5])
    assert found.own.estimate == pytest.approx((2 + 4) / 2)
    assert effects_of([nan] * 7, [1.0] * 7) == []
    assert effects_of([0.0] * 3 + [nan] * 4, [1.0] * 7) == []


def test_strongest_effect_has_the_largest_lower_bound() -> None:
    strong, certain = (
        AttributeEffect(1, "a", Interval(2.0, 0.1, 4.0), NONE, 0, 1),
        AttributeEffect(1, "b", Interval(-1.0, -1.2, -0.8), NONE, 0, 1),
    )
    assert strongest_effects([strong, certain]) == [certain]
    assert not AttributeEffect(1, "c", Interval(0.05, 0.01, 0.09), NONE, 0, 1).is_significant


def test_table_has_a_row_per_effect() -> None:
    table = tabulate_effects([AttributeEffect(1, "a", Interval(2.0, 0.1, 4.0), NONE, 0, 1)])
    assert table.iloc[0][["effect", "effect_low", "random_effect_high"]].tolist() == [2.0, 0.1, 0.1]
    assert tabulate_effects([]).empty
