"""Affine maps between frames, as float64 matrices (2, 3) named `dst_from_src`.

    [x_dst]   [a b c] [x_src]
    [y_dst] = [d e f] [y_src]
                      [  1  ]

A crop box of `width` px whose first pixel is (left, top), resized to `size` px. Pixel centres are integers, so it spans
[left - 0.5, left + width - 0.5] in the image, and the crop [-0.5, size - 0.5] in itself:

    image   |--left--|--left+1--| ...            x_crop = (x_image - left + 0.5) * size / width - 0.5
    crop    |-0-|-1-|-2-|-3-|-4-| ...
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["apply_affine", "crop_from_image", "invert_affine"]


def crop_from_image(
    left: ArrayLike, top: ArrayLike, width: ArrayLike, crop_size: tuple[int, int], height: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the affine maps from image px to the px of crops.

    Args:
        left: (N,) or scalar, image px: first column of the crop box, a whole number, maybe outside the image.
        top: first row of the crop box, image px.
        width: width of the crop box, image px, > 0.
        crop_size: (height, width) px of the resized crop.
        height: height of the crop box, image px, > 0; None: the box is a square.

    Returns:
        (N, 2, 3) float64, or (2, 3) for scalars.

    Example:
        >>> crop_from_image(left=10, top=20, width=200, crop_size=(100, 100)).tolist()
        [[0.5, 0.0, -5.25], [0.0, 0.5, -10.25]]
    """
    box = (left, top, width, width if height is None else height)
    left, top, width, height = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in box))
    scale_x, scale_y = crop_size[1] / width, crop_size[0] / height
    zero = np.zeros_like(width)
    row_x = np.stack([scale_x, zero, (0.5 - left) * scale_x - 0.5], axis=-1)
    row_y = np.stack([zero, scale_y, (0.5 - top) * scale_y - 0.5], axis=-1)
    return np.stack([row_x, row_y], axis=-2)


def apply_affine(dst_from_src: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    """Map points by affine maps.

    Args:
        dst_from_src: (..., 2, 3) px.
        points: (..., M, 2) px of the source frame; NaN stays NaN.

    Returns:
        (..., M, 2) float64 px of the destination frame.

    Example:
        >>> apply_affine(crop_from_image(10, 20, 200, (100, 100)), [[110.0, 120.0]]).tolist()
        [[49.75, 49.75]]
    """
    points = np.asarray(points, dtype=np.float64)
    return points @ np.swapaxes(dst_from_src[..., :2], -1, -2) + dst_from_src[..., None, :, 2]


def invert_affine(dst_from_src: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse `src_from_dst` of affine maps (..., 2, 3).

    Raises:
        numpy.linalg.LinAlgError: A map is singular, such as that of a crop box with a side of 0 px.

    Example:
        >>> image_from_crop = invert_affine(crop_from_image(10, 20, 200, (100, 100)))
        >>> apply_affine(image_from_crop, [[49.75, 49.75]]).round(6).tolist()
        [[110.0, 120.0]]
    """
    linear = np.linalg.inv(dst_from_src[..., :2])
    offset = -(linear @ dst_from_src[..., 2:])
    return np.concatenate([linear, offset], axis=-1)
