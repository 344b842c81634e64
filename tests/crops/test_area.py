"""Averaging over the area: the weights by hand, the pixels against OpenCV."""

import cv2
import numpy as np
import pytest

from posescope.crops.area import area_weights, shrink_square

NOISE = np.random.default_rng(0).integers(0, 256, (700, 700, 3)).astype(np.uint8)


def test_weights_by_hand():
    # 5 px -> 2: edges at 0, 2.5 and 5.
    expected = np.array([[1, 1, 0.5, 0, 0], [0, 0, 0.5, 1, 1]]) / 2.5
    np.testing.assert_allclose(area_weights(5, 2).toarray(), expected, atol=1e-7)
    # 3 px -> 2: edges at 0, 1.5, 3.
    np.testing.assert_allclose(area_weights(3, 2).toarray(), np.array([[1, 0.5, 0], [0, 0.5, 1]]) / 1.5, atol=1e-7)


@pytest.mark.parametrize("size_px", [16, 96, 256])
def test_every_px_counts_the_same_and_rows_sum_to_one(size_px):
    for side in range(size_px + 1, 4 * size_px, 7):
        weights = area_weights(side, size_px).toarray()
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(weights.sum(axis=0), size_px / side, atol=1e-5)
        assert (weights >= 0).all()


@pytest.mark.parametrize("size_px", [16, 64, 96, 256])
@pytest.mark.parametrize("side", [257, 260, 300, 384, 391, 512, 513, 640, 700])
def test_equals_opencv(side, size_px):
    square = NOISE[700 - side :, :side]
    found = np.empty((size_px, size_px, 3), np.uint8)
    shrink_square(square, found)
    expected = cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA)
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_a_huge_square_goes_to_opencv_as_it_is():
    square = cv2.resize(NOISE, (2049, 2049))
    found = np.empty((256, 256, 3), np.uint8)
    shrink_square(square, found)
    np.testing.assert_array_equal(found, cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA))


def test_one_colour_stays():
    found = np.empty((32, 32, 3), np.uint8)
    shrink_square(np.full((77, 77, 3), (255, 1, 128), np.uint8), found)
    assert (found == (255, 1, 128)).all()
