"""Which pixels of a crop show the image, and which show padding: along one axis, and as windows.

square      |<------------- side ------------->|
image             |<------ image_side ------...          (the square may begin before the image, and end after it)
crop px     . . . # # # # # # # # # # # # # # #          . padding, or mixed with it     # real: first <= px < last
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["valid_span", "valid_windows"]

Whole = NDArray[np.int64]


def valid_span(first: Whole, side: Whole, image_side: Whole, size_px: int) -> tuple[Whole, Whole]:
    """The crop px into which no padding has been mixed when N squares were resized: shrinking averages, enlarging is bilinear.

    Args:
        first: (N,) left or top of the squares, image px; below 0 where they begin before the image.
        side: (N,) of the squares, image px.
        image_side: (N,) width or height of the images, px.
        size_px: of the crops.

    Returns:
        (N,) the first real crop px and (N,) the one after the last; whole numbers throughout, so nothing is rounded. Where the
        second is not above the first, no px is real.
    """
    start, stop = np.maximum(-first, 0), np.minimum(image_side - first, side)  # the part of the square that the image fills
    shrunk_low, shrunk_high = -(-start * size_px // side), stop * size_px // side
    # An enlarged px is pure only if its centre lies between the centres of two px of the image.
    enlarged_low = np.where(start > 0, -(-((2 * start + 1) * size_px - side) // (2 * side)), 0)
    enlarged_high = np.where(stop < side, ((2 * stop - 1) * size_px - side) // (2 * side) + 1, size_px)
    shrunk = side >= size_px
    return np.where(shrunk, shrunk_low, enlarged_low), np.where(shrunk, shrunk_high, enlarged_high)


def valid_windows(left: Whole, top: Whole, side: Whole, image_size: Whole, crop_size: tuple[int, int]) -> Whole:
    """The part of each of N crops that shows nothing but the image.

    Args:
        left, top, side: (N,) of the squares, image px.
        image_size: (N, 2) (height, width) px.
        crop_size: (height, width) px.

    Returns:
        (N, 4) crop px: first column, first row, the column after the last, the row after the last. Where the latter are not above
        the former, nothing is real.
    """
    first_column, last_column = valid_span(left, side, image_size[:, 1], crop_size[1])
    first_row, last_row = valid_span(top, side, image_size[:, 0], crop_size[0])
    return np.stack([first_column, first_row, last_column, last_row], axis=1)
