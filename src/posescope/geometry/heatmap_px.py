"""Between crop px and the cells of a heatmap that is `stride` times smaller.

Both frames put an integer at a centre, so the outer edges coincide (stride 4):

    crop px   |-0-|-1-|-2-|-3-|-4-|-5-|-6-|-7-|        x_map  = (x + 0.5) / stride - 0.5
    map cells |-------0-------|-------1-------|        x_crop = (x_map + 0.5) * stride - 0.5
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["crop_from_heatmap", "heatmap_from_crop"]

ArrayOrTensor = TypeVar("ArrayOrTensor", Tensor, NDArray[np.float64], NDArray[np.float32], float)


def heatmap_from_crop(points: ArrayOrTensor, stride: float) -> ArrayOrTensor:
    """Crop px -> cells (sub-cell floats); elementwise, so x and y alike."""
    return (points + 0.5) / stride - 0.5


def crop_from_heatmap(points: ArrayOrTensor, stride: float) -> ArrayOrTensor:
    """Cells -> crop px; the inverse of `heatmap_from_crop`."""
    return (points + 0.5) * stride - 0.5
