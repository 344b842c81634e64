"""Tests of posescope.data.crops.crop_resampling."""

import cv2
import numpy as np
import pytest

from posescope.data.crops.crop_resampling import crop_box
from posescope.data.images.decoding import read_image

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
PADDING = (1, 2, 3)


def crop_square(image, left, top, side, size_px, padding_rgb, out=None):
    return crop_box(image, left, top, (side, side), (size_px, size_px), padding_rgb, out)


def test_downscaling_averages_over_the_area():
    crop = crop_square(NOISE, 10, 5, 48, 16, PADDING)
    np.testing.assert_array_equal(crop, cv2.resize(NOISE[5:53, 10:58], (16, 16), interpolation=cv2.INTER_AREA))
    # By hand, for 48 -> 16: a crop px is the mean of 3 x 3 px.
    assert abs(float(crop[0, 0, 0]) - NOISE[5:8, 10:13, 0].mean()) <= 0.5


def test_upscaling_is_bilinear():
    crop = crop_square(NOISE, 10, 5, 20, 32, PADDING)
    np.testing.assert_array_equal(crop, cv2.resize(NOISE[5:25, 10:30], (32, 32), interpolation=cv2.INTER_LINEAR))


def test_equal_size_copies_the_pixels():
    image = NOISE.copy()
    crop = crop_square(image, 10, 5, 32, 32, PADDING)
    np.testing.assert_array_equal(crop, NOISE[5:37, 10:42])
    crop[:] = 0
    np.testing.assert_array_equal(image, NOISE)


@pytest.mark.parametrize(("left", "top"), [(-10, -4), (60, 40), (-10, 40), (60, -4), (20, -20), (-5, 10)])
def test_padding_has_its_colour_and_position(left, top):
    crop = crop_square(NOISE, left, top, 32, 32, PADDING)
    for row in range(32):
        for column in range(32):
            y, x = row + top, column + left
            expected = NOISE[y, x] if 0 <= y < 60 and 0 <= x < 80 else PADDING
            assert tuple(crop[row, column]) == tuple(expected)


def test_crop_larger_than_the_image_contains_it():
    crop = crop_square(NOISE, -10, -20, 100, 100, PADDING)
    np.testing.assert_array_equal(crop[20:80, 10:90], NOISE)
    # 100 x 100 crop px minus the 60 x 80 px of the image.
    assert (crop == PADDING).all(axis=-1).sum() == 10_000 - 4_800


@pytest.mark.parametrize(("left", "top"), [(-50, 0), (90, 0), (0, -50), (0, 70), (200, 200), (-99, -99)])
def test_crop_outside_the_image_is_all_padding(left, top):
    crop = crop_square(NOISE, left, top, 20, 16, PADDING)
    assert (crop == PADDING).all()


@pytest.mark.parametrize("side", [16, 20, 32, 33, 48, 59])
def test_crop_is_written_to_the_given_array(side):
    crops = np.zeros((3, 32, 32, 3), np.uint8)
    found = crop_square(NOISE, 3, 1, side, 32, PADDING, out=crops[1])
    assert np.shares_memory(found, crops)
    np.testing.assert_array_equal(crops[1], crop_square(NOISE, 3, 1, side, 32, PADDING))
    assert not crops[[0, 2]].any()


@pytest.mark.real_data
def test_real_crops_equal_opencv_resizing(real_data):
    """Downscaling equals INTER_AREA of the sliced image, and upscaling equals INTER_LINEAR."""
    rng = np.random.default_rng(0)
    shrunk = enlarged = 0
    for path in sorted((real_data / "coco_subset" / "val2017").glob("*.jpg")):
        image = read_image(path)
        for side in rng.integers(16, min(image.shape[:2]), 4).tolist():
            left, top = (int(rng.integers(0, longest - side)) for longest in (image.shape[1], image.shape[0]))
            way = cv2.INTER_AREA if side > 256 else cv2.INTER_LINEAR
            expected = cv2.resize(image[top : top + side, left : left + side], (256, 256), interpolation=way)
            found = crop_square(image, left, top, side, 256, PADDING)
            assert np.array_equal(found, expected), (path, left, top, side)
            shrunk, enlarged = shrunk + (side > 256), enlarged + (side < 256)
    assert shrunk > 100
    assert enlarged > 100


def test_padding_of_a_very_wide_image_is_averaged():
    image = np.full((30, 6000, 3), 200, np.uint8)
    crop = crop_square(image, 0, -2985, 6000, 60, (20, 40, 60))
    # 100 px are averaged to one: rows 29 and 30 of the crop have 15 image px each.
    np.testing.assert_array_equal(crop[29], np.tile([47, 64, 81], (60, 1)))  # 0.15 * 200 + 0.85 * padding
    np.testing.assert_array_equal(crop[30], crop[29])
    assert (np.delete(crop, [29, 30], axis=0) == (20, 40, 60)).all()
    assert (crop_square(image, 0, -9000, 6000, 60, (20, 40, 60)) == (20, 40, 60)).all()
    assert (crop_square(image, 7000, 0, 6000, 60, (20, 40, 60)) == (20, 40, 60)).all()


@pytest.mark.parametrize("side", [33, 49, 59])
def test_downscaling_by_any_ratio_equals_opencv_inter_area(side):
    crop = crop_square(NOISE, 7, 1, side, 32, PADDING)
    np.testing.assert_array_equal(crop, cv2.resize(NOISE[1 : 1 + side, 7 : 7 + side], (32, 32), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(("left", "top", "height", "width"), [(0, 1100, 300, 2500), (700, 0, 2500, 90), (3, 5, 700, 700)])
def test_large_crop_equals_resizing_of_the_padded_image_up_to_rounding(left, top, height, width):
    part, padding = np.resize(NOISE, (height, width, 3)), (200, 3, 90)
    padded = np.full((2500, 2500, 3), padding, np.uint8)
    padded[top : top + height, left : left + width] = part
    found = crop_square(part, -left, -top, 2500, 96, padding)
    difference = np.abs(found.astype(int) - cv2.resize(padded, (96, 96), interpolation=cv2.INTER_AREA))
    assert difference.max() <= 1
    assert difference.mean() < 0.3  # two roundings instead of one


@pytest.mark.parametrize(
    ("box_size", "method"), [((48, 36), cv2.INTER_AREA), ((20, 15), cv2.INTER_LINEAR), ((31, 25), cv2.INTER_LINEAR)]
)
def test_crop_that_is_not_square_equals_opencv_resizing(box_size, method):
    height, width = box_size
    found = crop_box(NOISE, 10, 5, box_size, (32, 24), PADDING)
    expected = cv2.resize(NOISE[5 : 5 + height, 10 : 10 + width], (24, 32), interpolation=method)
    np.testing.assert_array_equal(found, expected)


def test_padding_of_a_crop_that_is_not_square():
    found = crop_box(NOISE, -10, 40, (32, 24), (32, 24), PADDING)
    np.testing.assert_array_equal(found[:20, 10:], NOISE[40:, :14])
    assert (found == PADDING).all(axis=-1).sum() >= 32 * 24 - 20 * 14
    np.testing.assert_array_equal(found[20:], np.broadcast_to(PADDING, (12, 24, 3)))


def test_large_crop_that_is_not_square_equals_resizing_of_the_padded_image_up_to_rounding():
    part, padding = np.resize(NOISE, (300, 1500, 3)), (200, 3, 90)
    padded = np.full((2400, 1800, 3), padding, np.uint8)
    padded[1000:1300, 100:1600] = part
    found = crop_box(part, -100, -1000, (2400, 1800), (96, 72), padding)
    assert np.abs(found.astype(int) - cv2.resize(padded, (72, 96), interpolation=cv2.INTER_AREA)).max() <= 1
