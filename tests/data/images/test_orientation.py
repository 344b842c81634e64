"""Tests of posescope.data.images.orientation, compared with Pillow."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from posescope.data.images.orientation import apply_orientation

# 3 px high, 5 px wide; all pixels differ.
IMAGE = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)


def transpose_with_pillow(orientation: int) -> NDArray[np.uint8]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(IMAGE).save(stream, "PNG", exif=exif)
    with Image.open(stream) as stored:
        return np.asarray(ImageOps.exif_transpose(stored))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_equal_those_of_pillow(orientation: int) -> None:
    upright = apply_orientation(IMAGE, orientation)
    np.testing.assert_array_equal(upright, transpose_with_pillow(orientation))
    assert upright.flags.c_contiguous
    assert upright.dtype == np.uint8


def test_orientation_6_by_hand() -> None:
    """6 is rotated right: the stored lower left corner comes to the upper left, the stored upper left to the upper right."""
    upright = apply_orientation(IMAGE, 6)
    assert upright.shape == (5, 3, 3)
    np.testing.assert_array_equal(upright[0, 0], IMAGE[2, 0])
    np.testing.assert_array_equal(upright[0, 2], IMAGE[0, 0])
    np.testing.assert_array_equal(upright[4, 0], IMAGE[2, 4])
