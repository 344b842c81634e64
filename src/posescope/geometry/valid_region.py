"""Valid region of a crop: the pixels that show the image alone, without padding.

crop box    |<------------- side ------------->|
image             |<------ image_side ------...          (the box may begin before the image and end after it)
crop px     . . . # # # # # # # # # # # # # # #          . padding, or blended with it     # valid: first <= px < last
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_downscaled", "valid_span", "valid_windows"]

IntArray = NDArray[np.int64]


def valid_span(
    first: IntArray, side: IntArray, image_side: IntArray, size_px: int, downscaled: NDArray[np.bool_]
) -> tuple[IntArray, IntArray]:
    """Return the range of valid crop px of N resized crop boxes along one axis.

    Downscaling averages and upscaling is bilinear, so pixels next to the padding are blended with it and not valid. The
    arithmetic is in integers: nothing is rounded.

    Args:
        first: (N,) left or top of the boxes, image px; negative where they begin before the image.
        side: (N,) width or height of the boxes, image px.
        image_side: (N,) width or height of the images, px.
        size_px: width or height of the crops, px.
        downscaled: (N,) whether the box is averaged (`is_downscaled`), or else interpolated bilinearly.

    Returns:
        (N,) the first valid crop px and (N,) the one after the last. If the second is not above the first, no px is valid.
    """
    start, stop = np.maximum(-first, 0), np.minimum(image_side - first, side)  # part of the box that the image covers
    down_low, down_high = -(-start * size_px // side), stop * size_px // side
    # An interpolated px is valid only if its centre is between the centres of two image px.
    up_low = np.where(start > 0, -(-((2 * start + 1) * size_px - side) // (2 * side)), 0)
    up_high = np.where(stop < side, ((2 * stop - 1) * size_px - side) // (2 * side) + 1, size_px)
    return np.where(downscaled, down_low, up_low), np.where(downscaled, down_high, up_high)


def is_downscaled(box_size: IntArray, crop_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return whether a crop box is downscaled to its crop, which averages areas: in no direction is the crop larger.

    Args:
        box_size: (..., 2) (height, width) px of crop boxes.
        crop_size: (height, width) px of the crops.

    Returns:
        (...) bool.
    """
    return np.asarray((box_size >= np.array(crop_size)).all(axis=-1))


def valid_windows(
    left: IntArray, top: IntArray, box_size: IntArray, image_size: IntArray, crop_size: tuple[int, int]
) -> IntArray:
    """Return the valid rectangles of N crops.

    Args:
        left: (N,) first column of the crop boxes, image px.
        top: (N,) first row of the crop boxes, image px.
        box_size: (N, 2) (height, width) px of the crop boxes.
        image_size: (N, 2) (height, width) px of the images.
        crop_size: (height, width) px of the crops.

    Returns:
        (N, 4) crop px: first column, first row, column after the last, row after the last. No px is valid if an
        end is not above its start.
    """
    downscaled = is_downscaled(box_size, crop_size)
    first_column, last_column = valid_span(left, box_size[:, 1], image_size[:, 1], crop_size[1], downscaled)
    first_row, last_row = valid_span(top, box_size[:, 0], image_size[:, 0], crop_size[0], downscaled)
    return np.stack([first_column, first_row, last_column, last_row], axis=1)
