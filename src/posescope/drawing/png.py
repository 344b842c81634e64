"""Writing a picture as PNG: the one place that turns RGB into OpenCV's BGR on the way to a file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.drawing.images import DrawingError, check_rgb
from posescope.files import atomic_write

__all__ = ["write_png"]


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an (H, W, 3) uint8 RGB array, atomically; folders above it are made.

    Raises:
        DrawingError: if the array is no such picture, or cannot be written.
    """
    check_rgb(picture, str(path))
    with atomic_write(path) as temporary:
        # The temporary name keeps the suffix .png, by which OpenCV chooses the format.
        if not cv2.imwrite(str(temporary), np.ascontiguousarray(picture[..., ::-1])):
            raise DrawingError(f"{path}: OpenCV could not write the picture.")
