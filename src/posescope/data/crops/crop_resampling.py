"""Crop a square from a decoded image and resize it."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["crop_square"]

# The padded square of a very wide or tall image may take gigabytes. A larger one is downscaled axis by axis, in blocks of rows.
_MAX_PADDED_PX = 2048
_BLOCK_BYTES = 32_000_000

_Rgb = tuple[int, int, int]


def crop_square(
    image: NDArray[np.uint8],
    left: int,
    top: int,
    side: int,
    size_px: int,
    padding_rgb: _Rgb,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Crop a square from an image and resize it to `size_px`.

    Downscaling averages over areas (OpenCV's `INTER_AREA`), upscaling is bilinear. Both keep the outer edges, as
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
        return crop
    height, width = inside.shape[:2]
    x, y = x0 - left, y0 - top
    if side > max(size_px, _MAX_PADDED_PX) and (height, width) != (side, side):
        columns = _downscale_columns(inside, x, side, size_px, padding_rgb)
        _resize(_pad(columns, (y, side - y - height, 0, 0), padding_rgb), crop)
    else:
        _resize(_pad(inside, (y, side - y - height, x, side - x - width), padding_rgb), crop)
    return crop


def _downscale_columns(part: NDArray[np.uint8], left: int, side: int, size_px: int, padding_rgb: _Rgb) -> NDArray[np.uint8]:
    """Pad (h, w, 3) to `side` columns and average them to `size_px`, in blocks of rows: (h, size_px, 3)."""
    height, width = part.shape[:2]
    result = np.empty((height, size_px, 3), dtype=np.uint8)
    step = max(1, _BLOCK_BYTES // (side * 3))
    for start in range(0, height, step):
        block = _pad(part[start : start + step], (0, 0, left, side - left - width), padding_rgb)
        result[start : start + step] = cv2.resize(block, (size_px, len(block)), interpolation=cv2.INTER_AREA)
    return result


def _resize(image: NDArray[np.uint8], crop: NDArray[np.uint8]) -> None:
    side, size_px = len(image), len(crop)
    if side == size_px:
        crop[:] = image
    else:
        method = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
        cv2.resize(image, (size_px, size_px), dst=crop, interpolation=method)


def _pad(image: NDArray[np.uint8], margins: tuple[int, int, int, int], padding_rgb: _Rgb) -> NDArray[np.uint8]:
    """Add margins (top, bottom, left, right) in px; return the image itself if there are none."""
    if not any(margins):
        return image
    return np.asarray(cv2.copyMakeBorder(image, *margins, cv2.BORDER_CONSTANT, value=padding_rgb), dtype=np.uint8)
