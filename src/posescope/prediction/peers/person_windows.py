"""Crops for networks of others: windows around boxes with the network's aspect ratio, resized to its input.

box -> grown by a factor -> longer side fitted to the aspect ratio of the input -> crop -> network -> image px

    input 256 x 192            +--window--+
    (height x width)           |  +box-+  |      The window has the centre of the box. The part outside the image is black.
                               |  |    |  |
                               |  +----+  |
                               +----------+
"""

import numpy as np
from numpy.typing import NDArray

from posescope.data.crops.crop_resampling import crop_box
from posescope.geometry.affine import crop_from_image, invert_affine
from posescope.prediction.person_crops import PersonCrops

__all__ = ["cut_windows"]

_BLACK = (0, 0, 0)


def cut_windows(image: NDArray[np.uint8], boxes: NDArray[np.float64], scale: float, input_size: tuple[int, int]) -> PersonCrops:
    """Crop persons out of an image.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (n, 4) x, y, w, h px in the project's convention (an image spans [-0.5, W - 0.5]); w, h > 0.
        scale: factor by which the boxes grow.
        input_size: (height, width) px of the crops.
    """
    # The window is the middle part of a square, which `crop_box` resizes by the same factor in both directions.
    size = max(input_size)
    top, left = ((size - side) // 2 for side in input_size)
    height, width = input_size
    sides = scale * np.maximum(boxes[:, 2] / width, boxes[:, 3] / height) * size
    whole = np.maximum(np.rint(sides), 1).astype(np.int64)
    # The middle of the crop, not of the square: they differ by half a px if the rest is odd.
    offset = (np.array([left, top]) + np.array([width, height]) / 2 - size / 2) / size
    centres = boxes[:, :2] + boxes[:, 2:] / 2 - offset * whole[:, None]
    corners = np.rint(centres - whole[:, None] / 2 + 0.5).astype(np.int64)
    crops = np.empty((len(boxes), height, width, 3), dtype=np.uint8)
    for crop, (x, y), side in zip(crops, corners, whole, strict=True):
        square = crop_box(image, int(x), int(y), (int(side), int(side)), (size, size), _BLACK)
        crop[...] = square[top : top + height, left : left + width]
    square_from_image = crop_from_image(corners[:, 0], corners[:, 1], whole, (size, size))
    square_from_image[..., 2] -= [left, top]
    return PersonCrops(crops, invert_affine(square_from_image))
