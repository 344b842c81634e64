"""Tests of posescope.reporting.wording."""

import pytest

from posescope.reporting.wording import at_layer, count_of_hundred, in_plain_words, in_words, list_words, range_of_hundred


def test_fractions_are_counts_of_hundred():
    assert count_of_hundred(0.8404) == "84"
    assert range_of_hundred(0.819, 0.861) == "82 to 86"
    assert range_of_hundred(None, 0.9) == range_of_hundred(float("nan"), 0.9) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left_wrist and Bbox_w2.", "left wrist and Bbox w2."),
        ("no keys", "no keys"),
        ("layer encoder.conv_stem.conv_1 of x_y.", "layer encoder.conv_stem.conv_1 of x y."),
        ("a _private name", "a _private name"),
        ("", ""),
    ],
)
def test_names_with_underscores_are_words(text, expected):
    assert in_words(text) == expected


def test_occluded_is_hidden_in_plain_words():
    assert in_plain_words("few joints occluded, left_wrist") == "few joints hidden, left wrist"


def test_bottleneck_is_in_the_middle_and_other_layers_are_named():
    assert at_layer("stack1.bottleneck") == at_layer("bottleneck") == "in the middle of the network"
    assert at_layer("encoder.stride32") == "at the layer encoder.stride32"


def test_lists():
    assert [list_words(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
