"""Cut squares out of decoded images and resize them."""

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
    """The square at (left, top), `side` px wide, resized to `size_px`.

    Shrinking averages over the area (anti-aliased), enlarging is bilinear; both keep the outer edges, as
    `geometry.affine.crop_from_image` has it. The part outside the image has the padding's colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        left, top, side: whole px of the image; may reach outside.
        size_px: side of the crop, px.
        padding_rgb: 0..255 each.
        out: (size_px, size_px, 3) uint8, contiguous: where the crop is to go; none: into a new array.

    Returns:
        (size_px, size_px, 3) uint8 RGB: `out`, if it was given.
    """
    crop = np.empty((size_px, size_px, 3), dtype=np.uint8) if out is None else out
    x0, y0 = max(left, 0), max(top, 0)
    inside = image[y0 : max(top + side, y0), x0 : max(left + side, x0)]
    if inside.size == 0:
        crop[...] = padding_rgb
    elif side > max(size_px, LARGEST_WHOLE_PX) and inside.shape[:2] != (side, side):
        # Of a wide picture the whole square would be mostly padding, in gigabytes.
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
    """(h, w, 3), at (left, top) of a square -> (side, side, 3): itself, or a padded copy where the square reaches outside."""
    height, width = inside.shape[:2]
    if (height, width) == (side, side):
        return inside
    margins = (top, side - top - height, left, side - left - width)
    return np.asarray(cv2.copyMakeBorder(inside, *margins, cv2.BORDER_CONSTANT, value=padding_rgb), dtype=np.uint8)
