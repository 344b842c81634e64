"""Averaging over the area: the weights by hand, the pixels against OpenCV."""

import cv2
import numpy as np
import pytest

from posescope.data.crops.area_resampling import area_weights, shrink_part, shrink_square

# Of two px, one black and one white, the mean is always a half: the one picture where rounding halves can be seen.
LARGEST_BIAS = {"grey levels": 0.05, "black and white": 0.2}
NOISE = np.random.default_rng(0).integers(0, 256, (700, 700, 3)).astype(np.uint8)


def test_weights_by_hand():
    # 5 px -> 2: edges at 0, 2.5 and 5: 102.4, 204.8, 256 of 256 up to each; 51.2, 153.6, 256.
    np.testing.assert_array_equal(area_weights(5, 2).toarray(), [[102, 103, 51, 0, 0], [0, 0, 51, 103, 102]])
    # 3 px -> 2: edges at 0, 1.5, 3: 170.67 and 85.33.
    np.testing.assert_array_equal(area_weights(3, 2).toarray(), [[171, 85, 0], [0, 85, 171]])


@pytest.mark.parametrize("size_px", [16, 96, 256])
def test_rows_are_whole_and_every_px_counts_the_same_to_a_256th(size_px):
    for side in range(size_px + 1, 4 * size_px, 7):
        weights = area_weights(side, size_px).toarray()
        assert (weights.sum(axis=1) == 256).all()
        exact = exact_weights(side, size_px)
        assert np.abs(weights - 256 * exact).max() < 1
        np.testing.assert_allclose(weights.sum(axis=0), 256 * size_px / side, atol=2)


def exact_weights(side: int, size_px: int) -> np.ndarray:
    """From the areas' definition, px by px."""
    ratio = side / size_px
    return np.array(
        [[max(0.0, min(p + 1, (c + 1) * ratio) - max(p, c * ratio)) / ratio for p in range(side)] for c in range(size_px)]
    )


@pytest.mark.parametrize("size_px", [16, 64, 96, 256])
@pytest.mark.parametrize("side", [257, 260, 300, 384, 391, 512, 513, 640, 700])
@pytest.mark.parametrize("picture", ["grey levels", "black and white"])
def test_equals_opencv_to_four_tenths_of_a_grey_level(side, size_px, picture):
    square = NOISE[700 - side :, :side]
    if picture == "black and white":
        square = np.where(square > 127, 255, 0).astype(np.uint8)
    found = np.empty((size_px, size_px, 3), np.uint8)
    shrink_square(square, found)
    expected = cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA)
    difference = found.astype(int) - expected
    assert np.abs(difference).max() <= 2
    assert np.abs(difference).mean() < 0.4
    assert abs(difference.mean()) < LARGEST_BIAS[picture]  # neither brighter nor darker


@pytest.mark.parametrize(("side", "size_px"), [(1990, 96), (1500, 96), (1990, 64), (300, 96), (700, 256)])
def test_regular_pictures_meet_no_regular_errors(side, size_px):
    stripes = np.where(np.arange(side) // 37 % 2, 255, 0).astype(np.uint8)
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    for line in (stripes, ramp):
        square = np.ascontiguousarray(np.broadcast_to(line[None, :, None], (side, side, 3)))
        found = np.empty((size_px, size_px, 3), np.uint8)
        shrink_square(square, found)
        difference = found.astype(int) - cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA)
        assert np.abs(difference).max() <= 1
        assert np.abs(difference).mean() < 0.4


def test_a_huge_square_goes_to_opencv_as_it_is():
    square = cv2.resize(NOISE, (2049, 2049))
    found = np.empty((256, 256, 3), np.uint8)
    shrink_square(square, found)
    np.testing.assert_array_equal(found, cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(("left", "top", "height", "width"), [(0, 1100, 300, 2500), (700, 0, 2500, 90), (3, 5, 700, 700)])
def test_a_part_equals_opencv_on_the_padded_whole(left, top, height, width):
    part, padding = np.resize(NOISE, (height, width, 3)), (200, 3, 90)
    whole = np.full((2500, 2500, 3), padding, np.uint8)
    whole[top : top + height, left : left + width] = part
    found = np.empty((96, 96, 3), np.uint8)
    shrink_part(part, left, top, 2500, padding, found)
    difference = np.abs(found.astype(int) - cv2.resize(whole, (96, 96), interpolation=cv2.INTER_AREA))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_one_colour_stays():
    found = np.empty((32, 32, 3), np.uint8)
    shrink_square(np.full((77, 77, 3), (255, 1, 128), np.uint8), found)
    assert (found == (255, 1, 128)).all()
