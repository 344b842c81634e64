"""Tests of posescope.data.whole_units."""

import numpy as np
import pandas as pd
import pytest

from posescope.data.whole_units import draw_units


def draw(units: str, wanted: int, seed: int = 0) -> list[str]:
    """Draw from persons whose units are single letters; each unit is one image."""
    letters = pd.Series(list(units), dtype=object)
    return [str(unit) for unit in draw_units(letters, letters.map(ord), wanted, np.random.default_rng(seed))]


@pytest.mark.parametrize("seed", range(10))
def test_number_is_met_exactly_if_small_units_are_left(seed) -> None:
    units = "aaabbcdef"
    drawn = draw(units, 4, seed)
    assert sum(units.count(unit) for unit in drawn) == 4
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("seed", range(10))
def test_large_units_are_skipped_and_the_number_is_never_exceeded(seed) -> None:
    # Of 3 + 3 + 3 persons at most one unit fits into 5.
    assert len(draw("aaabbbccc", 5, seed)) == 1


@pytest.mark.parametrize(("units", "wanted"), [("aaabbb", 2), ("aab", 0), ("", 3)])
def test_nothing_is_drawn_if_no_unit_fits(units, wanted) -> None:
    assert draw(units, wanted) == []


def test_draw_is_given_by_the_random_numbers_and_not_by_the_order_of_the_rows() -> None:
    assert draw("abcdefgh", 3, seed=1) == draw("hgfedcba", 3, seed=1)
    assert len({tuple(draw("abcdefgh", 3, seed)) for seed in range(10)}) > 1
