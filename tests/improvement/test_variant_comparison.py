"""Tests of posescope.improvement.variant_comparison: differences computed by hand."""

import pytest
from tests.improvement.conftest import scores

from posescope.improvement.variant_comparison import COMPARISONS, compare_by_person


def test_every_comparison_by_hand() -> None:
    table = compare_by_person(scores(0.1), 0, 200).set_index(["a", "b"])
    assert set(table.index) == set(COMPARISONS)
    for (a, b), expected in {
        ("original", "inserted"): -0.3, ("original", "continued"): 0.05, ("original", "improved"): 0.15,
        ("continued", "improved"): 0.1, ("original", "mean_ablated"): -0.4,
    }.items():  # fmt: skip
        row = table.loc[(a, b)]
        assert row["difference"] == pytest.approx(expected, abs=0.005)
        assert row["low"] < row["difference"] < row["high"]
        assert row["value_b"] - row["value_a"] == pytest.approx(row["difference"])
        assert row["excludes_zero"]
