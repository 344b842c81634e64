"""Tests of posescope.geometry.valid_region: by hand, and against OpenCV's resizing."""

import cv2
import numpy as np
import pytest

from posescope.geometry.valid_region import is_downscaled, valid_span, valid_windows


def span(first: int, side: int, image_side: int, size_px: int) -> tuple[int, int]:
    sides = np.array([side])
    low, high = valid_span(np.array([first]), sides, np.array([image_side]), size_px, sides >= size_px)
    return int(low[0]), int(high[0])


def test_square_inside_the_image_is_valid_as_a_whole() -> None:
    assert span(3, 40, 100, 20) == (0, 20)
    assert span(3, 10, 100, 20) == (0, 20)
    assert span(0, 100, 100, 20) == (0, 20)


def test_downscaled_by_hand() -> None:
    # Square px 0..7, of which 3..7 are the image; crop px c holds square px 2c and 2c + 1: 1 is blended, 2 and 3 are valid.
    assert span(-3, 8, 100, 4) == (2, 4)
    # Square px 0..4 are the image: crop px 2 holds 4 and 5, which is padding.
    assert span(95, 8, 100, 4) == (0, 2)


def test_upscaled_by_hand() -> None:
    # Twice as large: crop px c is centred on square px (c + 0.5) / 2 - 0.5. Square px 1 is the first valid one: c = 2 is at 0.75,
    # which blends px 0; c = 3 is at 1.25.
    assert span(-1, 4, 100, 8) == (3, 8)
    # Square px 2 is the last valid one: c = 4 is at 1.75, c = 5 at 2.25, which blends px 3.
    assert span(97, 4, 100, 8) == (0, 5)


def test_square_outside_the_image_has_no_valid_px() -> None:
    for first in (-50, 120):
        low, high = span(first, 40, 100, 20)
        assert high <= low


def test_many_squares_equal_single_ones() -> None:
    first, side, image = np.array([-3, -1, 95]), np.array([8, 4, 8]), np.array([100, 100, 100])
    low, high = valid_span(first, side, image, 8, side >= 8)
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == [span(*row, 8) for row in zip(first, side, image, strict=True)]


@pytest.mark.parametrize("size_px", [16, 33, 64])
def test_valid_px_are_those_without_blended_padding(size_px: int) -> None:
    rng = np.random.default_rng(size_px)
    for _ in range(100):
        side, image_side = int(rng.integers(4, 150)), int(rng.integers(10, 150))
        first = int(rng.integers(-side + 2, image_side - 2))
        padding = np.ones((side, 1), np.float32)
        padding[max(-first, 0) : max(min(image_side - first, side), 0)] = 0
        method = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
        column = cv2.resize(np.repeat(padding, 4, axis=1), (4, size_px), interpolation=method)[:, 0]
        expected = np.flatnonzero(column < 1e-6)
        low, high = span(first, side, image_side, size_px)
        assert np.arange(low, max(low, high)).tolist() == expected.tolist(), (first, side, image_side)


def test_box_that_is_downscaled_in_one_direction_only_is_interpolated() -> None:
    # As cv2 and `crop_box` do: 31 columns for 32 and 65 rows for 64.
    box, image_size, crop_size = np.array([[65, 31]]), np.array([[100, 100]]), (64, 32)
    assert not is_downscaled(box, crop_size).any()
    assert is_downscaled(np.array([[64, 32], [65, 32]]), crop_size).all()
    padding = np.ones((65, 31), np.float32)
    padding[10:, 5:] = 0
    expected = cv2.resize(padding, (32, 64), interpolation=cv2.INTER_LINEAR) < 1e-6
    first_column, first_row, *_ = valid_windows(np.array([-5]), np.array([-10]), box, image_size, crop_size)[0].tolist()
    assert (first_column, first_row) == (expected[-1].argmax(), expected[:, -1].argmax())
