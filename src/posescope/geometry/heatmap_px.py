"""Conversion between crop px and the px of a heatmap that is `stride` times smaller.

Integers are pixel centres in both frames. The outer edges coincide (stride 4):

    crop px      |-0-|-1-|-2-|-3-|-4-|-5-|-6-|-7-|     x_heatmap = (x_crop + 0.5) / stride - 0.5
    heatmap px   |-------0-------|-------1-------|     x_crop    = (x_heatmap + 0.5) * stride - 0.5

In "unbiased data processing" (Huang et al. 2020), with which published weights such as ViTPose's were trained, the centres of the
corner px coincide instead. `corner_strides` returns the factors of that convention:

    crop px        0---1---2---3---4---5---6---7       x_crop    = x_heatmap * (W - 1) / (w - 1)
    heatmap px     0---------------------------1
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["corner_strides", "crop_from_heatmap", "heatmap_from_crop"]

ArrayOrTensor = TypeVar("ArrayOrTensor", "Tensor", NDArray[np.float64], NDArray[np.float32], float)


def heatmap_from_crop(points: ArrayOrTensor, stride: float) -> ArrayOrTensor:
    """Convert crop px to heatmap px.

    Args:
        points: coordinates of any shape, crop px; x and y are treated alike.
        stride: crop px per heatmap px.

    Returns:
        Fractional heatmap px of the same shape.

    Example:
        >>> heatmap_from_crop(1.5, stride=4)
        0.0
    """
    return (points + 0.5) / stride - 0.5


def crop_from_heatmap(points: ArrayOrTensor, stride: float) -> ArrayOrTensor:
    """Convert heatmap px to crop px, the inverse of `heatmap_from_crop`.

    Args:
        points: coordinates of any shape, heatmap px.
        stride: crop px per heatmap px.

    Example:
        >>> crop_from_heatmap(0.0, stride=4)
        1.5
    """
    return (points + 0.5) * stride - 0.5


def corner_strides(crop_size: tuple[int, int], map_size: tuple[int, int]) -> tuple[float, float]:
    """Return the crop px per heatmap px in x and in y if the centres of the corner px coincide.

    Args:
        crop_size: (height, width) px of the crop.
        map_size: (height, width) px of the heatmap.

    Example:
        >>> corner_strides((256, 192), (64, 48))
        (4.0638..., 4.0476...)
    """
    (height, width), (map_height, map_width) = crop_size, map_size
    return (width - 1) / max(map_width - 1, 1), (height - 1) / max(map_height - 1, 1)
