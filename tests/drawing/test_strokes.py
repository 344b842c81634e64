"""Coverage of pixels by strokes."""

import numpy as np
import pytest

from posescope.drawing.rgb_images import DrawingError
from posescope.drawing.strokes import draw_outline, stroke_coverage


def full(size: tuple[int, int], start: list[float], end: list[float], radius_px: float) -> np.ndarray:
    (rows, columns), coverage = stroke_coverage(size, np.array(start), np.array(end), radius_px)
    canvas = np.zeros(size)
    canvas[rows, columns] = coverage
    return canvas


def test_a_line_of_width_1_on_a_row_covers_that_row_alone() -> None:
    canvas = full((9, 9), [2, 4], [6, 4], 0.5)
    assert canvas[4, 2:7] == pytest.approx([1.0] * 5)
    assert canvas[3].max() == canvas[5].max() == 0.0


def test_a_line_between_two_rows_covers_half_of_each() -> None:
    canvas = full((9, 9), [1, 4.5], [7, 4.5], 0.5)
    assert canvas[4, 4] == pytest.approx(0.5)
    assert canvas[5, 4] == pytest.approx(0.5)


def test_a_slanted_line_covers_its_width_times_its_length() -> None:
    canvas = full((120, 120), [10, 10], [100, 80], 1.5)
    length = np.hypot(90, 70)
    assert canvas.sum() == pytest.approx(3 * length + np.pi * 1.5**2, rel=0.01)  # a band with two half discs


def test_a_disc_covers_its_area() -> None:
    assert full((40, 40), [20.3, 19.6], [20.3, 19.6], 6).sum() == pytest.approx(np.pi * 36, rel=0.01)


def test_outside_there_is_nothing() -> None:
    assert full((8, 8), [-50, -50], [-20, -50], 2).sum() == 0.0
    assert full((8, 8), [100, 3], [120, 3], 2).sum() == 0.0


def test_an_outline_is_drawn_on_a_copy_and_closed() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    drawn = draw_outline(image, [[5, 5], [15, 5], [15, 12], [5, 12]], (250, 10, 20), thickness_px=1)
    assert image.max() == 0
    for row, column in ((5, 10), (9, 15), (12, 10), (9, 5)):
        assert tuple(drawn[row, column]) == (250, 10, 20)
    assert drawn[8:10, 8:12].max() == 0


def test_corners_must_be_points() -> None:
    with pytest.raises(DrawingError, match="corners"):
        draw_outline(np.zeros((20, 30, 3), np.uint8), [[5, float("nan")]], (0, 0, 0))
