"""Tests of posescope.drawing.text_rendering: wrapping and drawing of text."""

import numpy as np

from posescope.drawing.text_rendering import draw_text, line_height_px, wrap_text


def test_short_text_stays_on_one_line() -> None:
    assert wrap_text("PC 1", 200, 12, max_lines=3) == ["PC 1"]
    assert wrap_text("", 200, 12, max_lines=3) == [""]


def test_text_is_wrapped_at_spaces_and_line_breaks() -> None:
    assert wrap_text("a b\nc", 200, 12, max_lines=3) == ["a b", "c"]
    lines = wrap_text("left shoulder and elbow", 90, 12, max_lines=3)
    assert len(lines) > 1
    assert " ".join(lines) == "left shoulder and elbow"


def test_truncated_text_ends_in_an_ellipsis() -> None:
    assert wrap_text("one two three four", 30, 12, max_lines=2)[-1].endswith("…")
    (word,) = wrap_text("incomprehensibilities", 60, 12, max_lines=1)
    assert word.endswith("…")
    assert "incomprehensibilities".startswith(word[:-1])


def test_drawn_text_has_the_given_size_and_colours() -> None:
    image = draw_text(["σ", ""], 50, 12)
    assert image.shape == (2 * line_height_px(12), 50, 3)
    assert image[: line_height_px(12)].min() < 60
    assert np.array_equal(image[line_height_px(12) :], np.full((line_height_px(12), 50, 3), 255))
