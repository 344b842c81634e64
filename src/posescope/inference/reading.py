"""Pictures as people see them: the reader of `crops.decoding` with EXIF's orientation applied.

Joints and boxes of predictions are in the px of the upright picture, as every viewer shows it.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.crops.decoding import read_bytes, read_image
from posescope.images.headers import read_header
from posescope.images.limits import ImageLimits

__all__ = ["read_size", "read_upright"]

_LIMITS = ImageLimits()


def read_upright(path: Path, limits: ImageLimits = _LIMITS) -> NDArray[np.uint8]:
    """Decode an image and turn it upright; its size is that of the upright picture.

    Args:
        path: of the image.
        limits: the largest picture that is decoded.

    Returns:
        (H, W, 3) uint8 RGB, see `crops.decoding.read_image`.

    Raises:
        ImageError: see `crops.decoding.read_image`.
    """
    return read_image(path, frame="upright", limits=limits)


def read_size(path: Path) -> tuple[int, int]:
    """Return (height, width) px of the upright picture, from the file's header.

    `read_upright` gives a picture of this size, unless the rest of the file is damaged or it is too large.

    Raises:
        ImageError: if the file is missing, or has no header of an image.
    """
    return read_header(read_bytes(path), path).upright_size
