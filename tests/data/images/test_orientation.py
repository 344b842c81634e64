"""EXIF orientation, compared with files that Pillow turns."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from posescope.data.images.orientation import apply_orientation

# 3 high, 5 wide, every pixel another one.
PICTURE = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)


def as_pillow_turns_it(orientation: int) -> NDArray[np.uint8]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, "PNG", exif=exif)
    with Image.open(stream) as stored:
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
