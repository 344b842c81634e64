"""Valid region of a crop: the pixels that show the image alone, without padding.

square      |<------------- side ------------->|
image             |<------ image_side ------...          (the square may begin before the image and end after it)
crop px     . . . # # # # # # # # # # # # # # #          . padding, or blended with it     # valid: first <= px < last
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["valid_span", "valid_windows"]

IntArray = NDArray[np.int64]


def valid_span(first: IntArray, side: IntArray, image_side: IntArray, size_px: int) -> tuple[IntArray, IntArray]:
    """Return the range of valid crop px of N resized squares along one axis.

    Downscaling averages and upscaling is bilinear, so pixels next to the padding are blended with it and not valid. The
    arithmetic is in integers: nothing is rounded.

    Args:
        first: (N,) left or top of the squares, image px; negative where they begin before the image.
        side: (N,) side of the squares, image px.
        image_side: (N,) width or height of the images, px.
        size_px: side of the crops, px.

    Returns:
        (N,) the first valid crop px and (N,) the one after the last. If the second is not above the first, no px is valid.
    """
    start, stop = np.maximum(-first, 0), np.minimum(image_side - first, side)  # part of the square that the image covers
    down_low, down_high = -(-start * size_px // side), stop * size_px // side
    # An upscaled px is valid only if its centre is between the centres of two image px.
    up_low = np.where(start > 0, -(-((2 * start + 1) * size_px - side) // (2 * side)), 0)
    up_high = np.where(stop < side, ((2 * stop - 1) * size_px - side) // (2 * side) + 1, size_px)
    downscaled = side >= size_px
    return np.where(downscaled, down_low, up_low), np.where(downscaled, down_high, up_high)


def valid_windows(left: IntArray, top: IntArray, side: IntArray, image_size: IntArray, crop_size: tuple[int, int]) -> IntArray:
    """Return the valid rectangles of N crops.

    Args:
        left, top, side: (N,) squares, image px.
        image_size: (N, 2) (height, width) px of the images.
        crop_size: (height, width) px of the crops.

    Returns:
        (N, 4) crop px: first column, first row, column after the last, row after the last. No px is valid if an
        end is not above its start.
    """
    first_column, last_column = valid_span(left, side, image_size[:, 1], crop_size[1])
    first_row, last_row = valid_span(top, side, image_size[:, 0], crop_size[0])
    return np.stack([first_column, first_row, last_column, last_row], axis=1)
