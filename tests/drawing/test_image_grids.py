"""Tests of posescope.drawing.image_grids: sizes, aspect ratios, captions, titles and errors."""

import numpy as np
import pytest

from posescope.drawing.image_grids import draw_image_grid, draw_image_row, fit_image
from posescope.drawing.rgb_images import DrawingError
from posescope.drawing.text_rendering import line_height_px

RED = np.full((20, 20, 3), (255, 0, 0), np.uint8)
BLUE = np.full((20, 20, 3), (0, 0, 255), np.uint8)


def test_grid_size_by_hand() -> None:
    grid = draw_image_grid([RED] * 5, columns=2, tile_size=(30, 40), gap_px=3)
    assert grid.shape == (3 * 30 + 4 * 3, 2 * 40 + 3 * 3, 3)
    assert grid.dtype == np.uint8


def test_images_are_placed_row_by_row() -> None:
    grid = draw_image_grid([RED, BLUE, BLUE], columns=2, tile_size=(20, 20), gap_px=4)
    assert tuple(grid[14, 14]) == (255, 0, 0)
    assert tuple(grid[14, 38]) == (0, 0, 255)
    assert tuple(grid[38, 14]) == (0, 0, 255)
    assert tuple(grid[38, 38]) == (255, 255, 255)  # an empty tile is white
    assert tuple(grid[2, 14]) == (255, 255, 255)


def test_number_of_columns_is_limited_by_the_images() -> None:
    assert draw_image_grid([RED], columns=10, tile_size=(20, 20), gap_px=0).shape == (20, 20, 3)


@pytest.mark.parametrize(("size", "inside"), [((10, 40), (10, 40)), ((100, 50), (40, 20)), ((5, 5), (40, 40))])
def test_aspect_ratio_is_kept(size: tuple[int, int], inside: tuple[int, int]) -> None:
    tile = fit_image(np.zeros((*size, 3), np.uint8), (40, 40))
    black = (tile == 0).all(axis=-1)
    assert tile.shape == (40, 40, 3)
    assert (black.any(axis=1).sum(), black.any(axis=0).sum()) == inside


def test_captions_are_below_their_images() -> None:
    plain = draw_image_grid([RED, BLUE], columns=2, tile_size=(20, 60))
    grid = draw_image_grid([RED, BLUE], columns=2, captions=["σ = 0.5", ""], tile_size=(20, 60))
    assert grid.shape[1] == plain.shape[1]
    below = grid[4 + 20 + 1 :, :]
    assert below.shape[0] > 15
    assert below[:, 4:64].min() < 80  # dark letters on white
    assert below[:, 68:128].min() == 255


def test_captions_are_wrapped_to_three_lines_at_most() -> None:
    heights = [
        draw_image_grid([RED], 1, captions=["\n".join(["word"] * count)], tile_size=(20, 60)).shape[0] for count in (1, 3, 9)
    ]
    line = line_height_px(12)
    assert heights[1] == heights[0] + 2 * line
    assert heights[2] == heights[1]


def test_title_is_above_the_grid() -> None:
    plain = draw_image_grid([RED], 1, tile_size=(100, 200))
    titled = draw_image_grid([RED], 1, tile_size=(100, 200), title="Worst twelve")
    extra = titled.shape[0] - plain.shape[0]
    assert extra > 20
    assert np.array_equal(titled[extra:], plain)
    assert titled[:extra].min() < 80


def test_images_are_not_changed() -> None:
    before = RED.copy()
    draw_image_grid([RED, BLUE], 2, captions=["a", "b"], title="t")
    assert np.array_equal(RED, before)


def test_empty_grid_is_refused() -> None:
    with pytest.raises(DrawingError, match="at least one image"):
        draw_image_grid([], columns=3)


def test_invalid_inputs_are_refused() -> None:
    with pytest.raises(DrawingError, match="1 captions for 2 images"):
        draw_image_grid([RED, BLUE], 2, captions=["one"])
    with pytest.raises(DrawingError, match="columns >= 1"):
        draw_image_grid([RED], 0)
    with pytest.raises(DrawingError, match=r"images\[1\].*\(20, 20\)"):
        draw_image_grid([RED, RED[..., 0]], 2)


def test_images_of_a_row_have_the_same_height() -> None:
    row = draw_image_row([np.zeros((50, 100, 3), np.uint8), RED], ["wide", "square"], height_px=40, gap_px=5)
    assert row.shape[1] == 80 + 40 + 3 * 5
    title_height = row.shape[0] - 40 - 5
    assert title_height > line_height_px(12)
    assert tuple(row[title_height + 20, 45]) == (0, 0, 0)
    assert tuple(row[title_height + 20, 5 + 80 + 5 + 20]) == (255, 0, 0)


def test_empty_row_is_refused() -> None:
    with pytest.raises(DrawingError, match="images"):
        draw_image_row([], [])
    with pytest.raises(DrawingError, match="one title"):
        draw_image_row([RED], [])
