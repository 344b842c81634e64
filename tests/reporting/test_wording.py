"""Tests of posescope.reporting.wording."""

import pytest

from posescope.reporting.wording import count_of_hundred, in_words, list_words, range_of_hundred


def test_fractions_are_counts_of_hundred():
    assert count_of_hundred(0.8404) == "84"
    assert range_of_hundred(0.819, 0.861) == "82 to 86"
    assert range_of_hundred(None, 0.9) == range_of_hundred(float("nan"), 0.9) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left_wrist and Bbox_w2.", "left wrist and Bbox w2."),
        ("no keys", "no keys"),
        ("a _private name", "a _private name"),
        ("", ""),
    ],
)
def test_names_with_underscores_are_words(text, expected):
    assert in_words(text) == expected


def test_lists():
    assert [list_words(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
