"""Tests of posescope.drawing.strokes: position and width of antialiased strokes, measured on pixels."""

import numpy as np
import pytest

from posescope.drawing.rgb_images import DrawingError
from posescope.drawing.strokes import clear_disc, draw_outline, draw_stroke

SIZE_PX = 96


def coverage(start: list[float], end: list[float], radius_px: float) -> np.ndarray:
    canvas = np.zeros((SIZE_PX, SIZE_PX), dtype=np.uint8)
    draw_stroke(canvas, np.array(start), np.array(end), radius_px, 255)
    return canvas / 255


def across(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (along, across) coordinates of all pixel centres, in px from the start of a segment."""
    x, y = (grid - origin for grid, origin in zip(np.mgrid[:SIZE_PX, :SIZE_PX][::-1], start, strict=True))
    unit = (end - start) / np.hypot(*(end - start))
    return x * unit[0] + y * unit[1], y * unit[0] - x * unit[1]


@pytest.mark.parametrize("radius_px", [0.75, 1.0, 1.6, 3.0])
def test_disc_is_placed_to_a_quarter_of_a_pixel_and_has_its_area(radius_px: float) -> None:
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    for centre in np.random.default_rng(0).uniform(20, 70, (50, 2)):
        drawn = coverage(list(centre), list(centre), radius_px)
        found = np.array([(drawn * columns).sum(), (drawn * rows).sum()]) / drawn.sum()
        assert np.hypot(*(found - centre)) < 0.25
        equal_area_radius = np.sqrt(drawn.sum() / np.pi)
        assert equal_area_radius == pytest.approx(radius_px, abs=0.5)


@pytest.mark.parametrize("radius_px", [1.0, 1.6, 3.0])
def test_line_is_placed_to_a_quarter_of_a_pixel_and_has_its_width(radius_px: float) -> None:
    generator = np.random.default_rng(1)
    widths = []
    for _ in range(50):
        start, angle = generator.uniform(35, 60, 2), generator.uniform(0, 2 * np.pi)
        end = start + 30 * np.array([np.cos(angle), np.sin(angle)])
        drawn = coverage(list(start), list(end), radius_px)
        along, aside = across(start, end)
        middle = np.where((along > 5) & (along < 25), drawn, 0)
        assert abs((middle * aside).sum() / middle.sum()) < 0.25
        widths.append(middle.sum() / 20)
    assert np.mean(widths) == pytest.approx(2 * radius_px, abs=0.35)


def test_strokes_outside_the_canvas_do_not_change_it() -> None:
    assert coverage([-50, -50], [-20, -50], 2).sum() == 0.0
    assert coverage([110, 3], [130, 3], 2).sum() == 0.0


def test_stroke_beyond_the_canvas_is_clipped() -> None:
    assert coverage([-1e9, 20], [1e9, 20], 2)[20].min() == 1.0


def test_clear_disc_restores_the_image_inside_the_disc_only() -> None:
    image = np.full((40, 40, 3), 90, dtype=np.uint8)
    canvas = np.full((40, 40, 3), 255, dtype=np.uint8)
    clear_disc(canvas, image, np.array([20.0, 10.0]), 4)
    assert (canvas[10, 20] == 90).all()
    assert (canvas[20:] == 255).all()
    clear_disc(canvas, image, np.array([-30.0, 10.0]), 4)
    assert (canvas[:, 0] == 255).all()


def test_outline_is_closed_and_drawn_on_a_copy() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    drawn = draw_outline(image, [[5, 5], [15, 5], [15, 12], [5, 12]], (250, 10, 20), thickness_px=3)
    assert image.max() == 0
    for row, column in ((5, 10), (9, 15), (12, 10), (9, 5)):
        assert tuple(drawn[row, column]) == (250, 10, 20)
    assert drawn[8:10, 8:12].max() == 0


def test_corners_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DrawingError):
        draw_outline(np.zeros((20, 30, 3), np.uint8), [[5, float("nan")]], (0, 0, 0))
