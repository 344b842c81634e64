"""Tests of posescope.reporting.number_format."""

import numpy as np
import pandas as pd
import pytest

from posescope.reporting.number_format import format_cell, format_number, split_heading


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.43256, 3, "0.433"),
        (14526053.0, 0, "14,526,053"),
        (-0.25, 2, "−0.25"),
        (0.0, 3, "0.000"),
        (4.19e-5, 3, "4.19 × 10⁻⁵"),
        (float("nan"), 3, "–"),
    ],
)
def test_numbers_have_separators_and_exponents(value: float, decimals: int, text: str) -> None:
    assert format_number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(124040), "124,040"),
        (-3, "−3"),
        (np.float32(0.5), "0.50"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (None, "–"),
        (pd.NA, "–"),
        ("left_eye", "left_eye"),
        ((1, 2), "(1, 2)"),
    ],
)
def test_cells_are_formatted_by_type(value: object, text: str) -> None:
    assert format_cell(value, decimals=2) == text


def test_units_are_split_from_headings() -> None:
    assert split_heading("mean_error_px") == ("mean error", "px")
    assert split_heading("epoch_ms") == ("epoch", "ms")
    assert split_heading("joint") == ("joint", "")
    assert split_heading("persons") == ("persons", "")
