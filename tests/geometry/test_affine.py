"""Tests of posescope.geometry.affine: by hand, round trips, and against OpenCV."""

import cv2
import numpy as np

from posescope.geometry.affine import apply_affine, crop_from_image, invert_affine


def test_crop_by_hand():
    # A square of 128 px at (10, 20), resized to 64: x_crop = (x - 10 + 0.5) / 2 - 0.5.
    matrix = crop_from_image(10, 20, 128, (64, 64))
    np.testing.assert_allclose(
        apply_affine(matrix, [[10.5, 20.5], [9.5, 19.5], [137.5, 147.5]]), [[0, 0], [-0.5, -0.5], [63.5, 63.5]]
    )


def test_unchanged_size_only_shifts():
    np.testing.assert_allclose(crop_from_image(3, -4, 32, (32, 32)), [[1, 0, -3], [0, 1, 4]])


def test_crop_and_back_is_the_identity():
    generator = np.random.default_rng(0)
    left, top, side = generator.integers(-50, 200, 20), generator.integers(-50, 200, 20), generator.integers(5, 300, 20)
    maps = crop_from_image(left, top, side, (256, 256))
    points = generator.uniform(-20, 400, (20, 17, 2))
    np.testing.assert_allclose(apply_affine(invert_affine(maps), apply_affine(maps, points)), points, atol=1e-9)


def test_nan_stays_nan():
    assert np.isnan(apply_affine(crop_from_image(0, 0, 10, (20, 20)), [[np.nan, np.nan]])).all()


def test_no_persons():
    assert crop_from_image(np.empty(0), np.empty(0), np.empty(0), (64, 64)).shape == (0, 2, 3)


def test_agrees_with_opencv_resize():
    # A bright 4 x 4 block whose middle is (21.5, 13.5): after slicing and area-resizing its centre of mass is mapped too.
    image = np.zeros((60, 80), np.float32)
    image[12:16, 20:24] = 1
    crop = cv2.resize(image[8:40, 10:42], (16, 16), interpolation=cv2.INTER_AREA)
    rows, columns = np.indices(crop.shape)
    centre = [(columns * crop).sum() / crop.sum(), (rows * crop).sum() / crop.sum()]
    expected = apply_affine(crop_from_image(10, 8, 32, (16, 16)), [[21.5, 13.5]])[0]
    np.testing.assert_allclose(centre, expected, atol=1e-6)


def test_crop_that_is_not_square_by_hand():
    # 96 x 128 px (width x height) to 48 x 32: scales 0.5 and 0.25.
    matrix = crop_from_image(10, 20, 96, (32, 48), height=128)
    np.testing.assert_allclose(matrix, [[0.5, 0, -5.25], [0, 0.25, -5.375]])
    corners = apply_affine(matrix, [[9.5, 19.5], [105.5, 147.5]])
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [47.5, 31.5]])
    np.testing.assert_allclose(apply_affine(invert_affine(matrix), corners), [[9.5, 19.5], [105.5, 147.5]])
