"""EXIF orientation: rotate or reflect images by it.

Labels refer to one of two pixel frames: the image as `stored` (COCO, and readers that ignore EXIF), or the `upright` image
(browsers, most labelling tools, cv2.imread).

    1 upright          2 flip left-right   3 rotate by 180       4 flip top-bottom
    5 transpose        6 rotate by 90      7 transverse          8 rotate by 270     (clockwise: what makes the image upright)

Source: CIPA DC-008 (EXIF 2.32), tag 0x0112.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDEWAYS", "UPRIGHT", "PixelFrame", "apply_orientation"]

PixelFrame: TypeAlias = Literal["stored", "upright"]

UPRIGHT = 1
SIDEWAYS = frozenset({5, 6, 7, 8})  # height and width are swapped
_TRANSFORMS: Mapping[int, Callable[[Any], Any]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.transpose(cv2.rotate(image, cv2.ROTATE_180)),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def apply_orientation(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the upright image.

    Args:
        image: (H, W, 3) uint8, as stored.
        orientation: EXIF orientation, 1..8.

    Returns:
        (H, W, 3) uint8, or (W, H, 3) for the orientations 5 to 8.
    """
    transform = _TRANSFORMS.get(orientation)
    return image if transform is None else np.asarray(transform(image), dtype=np.uint8)
