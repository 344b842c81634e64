"""Crop a square from a decoded image and resize it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.data.crops.area_resampling import LARGEST_WHOLE_PX, shrink_part, shrink_square

__all__ = ["crop_square"]


def crop_square(
    image: NDArray[np.uint8],
    left: int,
    top: int,
    side: int,
    size_px: int,
    padding_rgb: tuple[int, int, int],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Crop a square from an image and resize it to `size_px`.

    Downscaling averages over areas (anti-aliased), upscaling is bilinear. Both keep the outer edges, as
    `geometry.affine.crop_from_image` states. The part outside the image is filled with one colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        left, top, side: square in whole image px; it may reach outside.
        size_px: side of the crop, px.
        padding_rgb: colour outside the image, 0..255 each.
        out: (size_px, size_px, 3) uint8, contiguous, receives the crop; None: a new array.

    Returns:
        (size_px, size_px, 3) uint8 RGB; `out` if given.

    Example:
        >>> image = np.full((4, 4, 3), 200, np.uint8)
        >>> crop_square(image, left=2, top=0, side=4, size_px=2, padding_rgb=(0, 0, 0))[:, :, 0].tolist()
        [[200, 0], [200, 0]]
    """
    crop = np.empty((size_px, size_px, 3), dtype=np.uint8) if out is None else out
    x0, y0 = max(left, 0), max(top, 0)
    inside = image[y0 : max(top + side, y0), x0 : max(left + side, x0)]
    if inside.size == 0:
        crop[...] = padding_rgb
    elif side > max(size_px, LARGEST_WHOLE_PX) and inside.shape[:2] != (side, side):
        # The padded square of a very wide or tall image may take gigabytes.
        shrink_part(inside, x0 - left, y0 - top, side, padding_rgb, crop)
    else:
        _resize(_pad(inside, x0 - left, y0 - top, side, padding_rgb), crop)
    return crop


def _resize(square: NDArray[np.uint8], crop: NDArray[np.uint8]) -> None:
    side, size_px = len(square), len(crop)
    if side > size_px:
        shrink_square(square, crop)
    elif side < size_px:
        cv2.resize(square, (size_px, size_px), dst=crop, interpolation=cv2.INTER_LINEAR)
    else:
        crop[:] = square


def _pad(inside: NDArray[np.uint8], left: int, top: int, side: int, padding_rgb: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the (side, side, 3) square that holds `inside` at (left, top): a padded copy, or `inside` if it fills the square."""
    height, width = inside.shape[:2]
    if (height, width) == (side, side):
        return inside
    margins = (top, side - top - height, left, side - left - width)
    return np.asarray(cv2.copyMakeBorder(inside, *margins, cv2.BORDER_CONSTANT, value=padding_rgb), dtype=np.uint8)
