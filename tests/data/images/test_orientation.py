"""EXIF orientation, compared with files that Pillow writes."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from posescope.data.images.orientation import apply_orientation, exif_orientation

TAG = 0x0112
# 3 high, 5 wide, every pixel another one.
PICTURE = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)


def encoded(orientation: int | None, file_format: str, **more: Any) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    if orientation is not None:
        exif[TAG] = orientation
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, file_format, exif=exif, **more)
    return stream.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_each_format_is_read(orientation: int, file_format: str) -> None:
    assert exif_orientation(encoded(orientation, file_format)) == orientation


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [None, 0, 9, 60000])
def test_without_one_or_with_one_that_means_nothing_it_is_upright(orientation: int | None, file_format: str) -> None:
    assert exif_orientation(encoded(orientation, file_format)) == 1


def test_files_without_exif_are_upright() -> None:
    for file_format in ("JPEG", "PNG", "WEBP", "BMP", "GIF"):
        stream = io.BytesIO()
        Image.fromarray(PICTURE).save(stream, file_format)
        assert exif_orientation(stream.getvalue()) == 1
    assert exif_orientation(b"") == exif_orientation(b"\xff\xd8") == exif_orientation(b"no image") == 1


def test_either_order_of_bytes_and_either_width_of_the_number() -> None:
    def jpeg(exif: bytes) -> bytes:
        block = b"Exif\0\0" + exif
        return b"\xff\xd8\xff\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + b"\xff\xd9"

    big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    long_number = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06"
    assert [exif_orientation(jpeg(exif)) for exif in (big, little, long_number)] == [6, 6, 6]
    assert exif_orientation(jpeg(b"XX" + big[2:])) == 1


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_cut_anywhere_it_is_a_number_and_no_error(file_format: str) -> None:
    whole = encoded(6, file_format)
    found = [exif_orientation(whole[:end]) for end in range(len(whole))]
    assert set(found) <= {1, 6}


def as_pillow_turns_it(orientation: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(encoded(orientation, "PNG"))) as stored:
        return np.asarray(ImageOps.exif_transpose(stored))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_applied_as_by_pillow(orientation: int) -> None:
    turned = apply_orientation(PICTURE, orientation)
    np.testing.assert_array_equal(turned, as_pillow_turns_it(orientation))
    assert turned.flags.c_contiguous
    assert turned.dtype == np.uint8


def test_worked_out_by_hand() -> None:
    """6 is turned right: the stored lower left corner comes to the upper left, the stored upper left to the upper right."""
    turned = apply_orientation(PICTURE, 6)
    assert turned.shape == (5, 3, 3)
    np.testing.assert_array_equal(turned[0, 0], PICTURE[2, 0])
    np.testing.assert_array_equal(turned[0, 2], PICTURE[0, 0])
    np.testing.assert_array_equal(turned[4, 0], PICTURE[2, 4])
