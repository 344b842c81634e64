"""Decoding images, cutting and resizing squares."""

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.crops.cutting import cut_square, read_image
from posescope.errors import DataError

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
PADDING = (1, 2, 3)


def test_shrinking_averages_over_the_area():
    crop = cut_square(NOISE, 10, 5, 48, 16, PADDING)
    np.testing.assert_array_equal(crop, cv2.resize(NOISE[5:53, 10:58], (16, 16), interpolation=cv2.INTER_AREA))
    # By hand, for 48 -> 16: a crop px is the mean of 3 x 3 px.
    assert abs(float(crop[0, 0, 0]) - NOISE[5:8, 10:13, 0].mean()) <= 0.5


def test_enlarging_is_bilinear():
    crop = cut_square(NOISE, 10, 5, 20, 32, PADDING)
    np.testing.assert_array_equal(crop, cv2.resize(NOISE[5:25, 10:30], (32, 32), interpolation=cv2.INTER_LINEAR))


def test_the_same_size_is_a_copy():
    image = NOISE.copy()
    crop = cut_square(image, 10, 5, 32, 32, PADDING)
    np.testing.assert_array_equal(crop, NOISE[5:37, 10:42])
    crop[:] = 0
    np.testing.assert_array_equal(image, NOISE)


@pytest.mark.parametrize(("left", "top"), [(-10, -4), (60, 40), (-10, 40), (60, -4), (20, -20), (-5, 10)])
def test_padding_has_its_colour_and_its_place(left, top):
    crop = cut_square(NOISE, left, top, 32, 32, PADDING)
    for row in range(32):
        for column in range(32):
            y, x = row + top, column + left
            expected = NOISE[y, x] if 0 <= y < 60 and 0 <= x < 80 else PADDING
            assert tuple(crop[row, column]) == tuple(expected)


def test_a_square_larger_than_the_image_holds_it_all():
    crop = cut_square(NOISE, -10, -20, 100, 100, PADDING)
    np.testing.assert_array_equal(crop[20:80, 10:90], NOISE)
    # 100 x 100 crop px less the image's 60 x 80.
    assert (crop == PADDING).all(axis=-1).sum() == 10_000 - 4_800


@pytest.mark.parametrize(("left", "top"), [(-50, 0), (90, 0), (0, -50), (0, 70), (200, 200), (-99, -99)])
def test_a_square_beside_the_image_is_all_padding(left, top):
    crop = cut_square(NOISE, left, top, 20, 16, PADDING)
    assert (crop == PADDING).all()


def test_images_are_read_as_rgb(tmp_path):
    Image.fromarray(np.full((4, 6, 3), (200, 100, 50), np.uint8)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", (4, 6))
    assert (image.shape, image.dtype) == ((4, 6, 3), np.uint8)
    assert (image == (200, 100, 50)).all()


def test_exif_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    left_half_red = np.zeros((40, 80, 3), np.uint8)
    left_half_red[:, :40, 0] = 255
    Image.fromarray(left_half_red).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "turned.jpg") as written:
        assert written.getexif()[0x0112] == 6
    image = read_image(tmp_path / "turned.jpg", (40, 80))
    assert image[20, 10, 0] > 200
    assert image[20, 70, 0] < 50


def test_a_grey_image_has_three_equal_channels(tmp_path):
    Image.fromarray(NOISE[..., 0]).save(tmp_path / "grey.png")
    image = read_image(tmp_path / "grey.png")
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], NOISE[..., 0])


def test_another_size_than_annotated_is_refused(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    message = r"a\.png: the annotations say \(80, 60\) px \(height, width\), the file has \(60, 80\)"
    with pytest.raises(DataError, match=message):
        read_image(tmp_path / "a.png", (80, 60))


def test_a_truncated_jpeg_is_refused(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(NOISE).save(path)
    whole, image = path.read_bytes(), read_image(path)
    path.write_bytes(whole + bytes(1000))  # padding after the end harms nobody
    np.testing.assert_array_equal(read_image(path), image)
    for length in (len(whole) - 2, len(whole) * 3 // 4):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=rf"a\.jpg: the JPEG file is cut short \({length} bytes"):
            read_image(path)


@pytest.mark.parametrize("raw", [None, b"", b"not an image"])
def test_what_is_no_image_is_refused(tmp_path, raw):
    if raw is not None:
        (tmp_path / "a.jpg").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.jpg: cannot be decoded as an image"):
        read_image(tmp_path / "a.jpg")
