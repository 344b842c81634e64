"""Crop a box from a decoded image and resize it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.geometry.valid_region import is_downscaled

__all__ = ["crop_box"]

# The padded box of a very wide or tall image may take gigabytes. A larger one is downscaled axis by axis, in blocks of rows.
_MAX_PADDED_PX = 2048
_BLOCK_BYTES = 32_000_000

_Rgb = tuple[int, int, int]


def crop_box(
    image: NDArray[np.uint8],
    left: int,
    top: int,
    box_size: tuple[int, int],
    crop_size: tuple[int, int],
    padding_rgb: _Rgb,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Crop a box from an image and resize it to `crop_size`.

    Downscaling averages over areas (OpenCV's `INTER_AREA`), upscaling is bilinear. Both keep the outer edges, as
    `geometry.affine.crop_from_image` states. The part outside the image is filled with one colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        left, top: first column and row of the box, whole image px; it may reach outside.
        box_size: (height, width) of the box, whole image px.
        crop_size: (height, width) px of the crop.
        padding_rgb: colour outside the image, 0..255 each.
        out: (*crop_size, 3) uint8, contiguous, receives the crop; None: a new array.

    Returns:
        (*crop_size, 3) uint8 RGB; `out` if given.

    Example:
        >>> image = np.full((4, 4, 3), 200, np.uint8)
        >>> crop_box(image, left=2, top=0, box_size=(4, 4), crop_size=(2, 2), padding_rgb=(0, 0, 0))[:, :, 0].tolist()
        [[200, 0], [200, 0]]
    """
    crop = np.empty((*crop_size, 3), dtype=np.uint8) if out is None else out
    box_height, box_width = box_size
    x0, y0 = max(left, 0), max(top, 0)
    inside = image[y0 : max(top + box_height, y0), x0 : max(left + box_width, x0)]
    if inside.size == 0:
        crop[...] = padding_rgb
        return crop
    height, width = inside.shape[:2]
    x, y = x0 - left, y0 - top
    averages = bool(is_downscaled(np.array(box_size), crop_size))
    if averages and max(box_size) > _MAX_PADDED_PX and (height, width) != box_size:
        columns = _downscale_columns(inside, x, box_width, crop_size[1], padding_rgb)
        _resize(_pad(columns, (y, box_height - y - height, 0, 0), padding_rgb), crop)
    else:
        margins = (y, box_height - y - height, x, box_width - x - width)
        _resize(_pad(inside, margins, padding_rgb), crop)
    return crop


def _downscale_columns(part: NDArray[np.uint8], left: int, box_width: int, width: int, padding_rgb: _Rgb) -> NDArray[np.uint8]:
    """Pad (h, w, 3) to `box_width` columns and average them to `width`, in blocks of rows: (h, width, 3)."""
    height, part_width = part.shape[:2]
    result = np.empty((height, width, 3), dtype=np.uint8)
    step = max(1, _BLOCK_BYTES // (box_width * 3))
    for start in range(0, height, step):
        block = _pad(part[start : start + step], (0, 0, left, box_width - left - part_width), padding_rgb)
        result[start : start + step] = cv2.resize(block, (width, len(block)), interpolation=cv2.INTER_AREA)
    return result


def _resize(image: NDArray[np.uint8], crop: NDArray[np.uint8]) -> None:
    box_size, crop_size = image.shape[:2], (crop.shape[0], crop.shape[1])
    if box_size == crop_size:
        crop[:] = image
    else:
        method = cv2.INTER_AREA if is_downscaled(np.array(box_size), crop_size) else cv2.INTER_LINEAR
        cv2.resize(image, crop_size[::-1], dst=crop, interpolation=method)


def _pad(image: NDArray[np.uint8], margins: tuple[int, int, int, int], padding_rgb: _Rgb) -> NDArray[np.uint8]:
    """Add margins (top, bottom, left, right) in px; return the image itself if there are none."""
    if not any(margins):
        return image
    return np.asarray(cv2.copyMakeBorder(image, *margins, cv2.BORDER_CONSTANT, value=padding_rgb), dtype=np.uint8)
