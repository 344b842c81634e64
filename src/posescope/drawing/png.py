"""A picture as PNG: the one place that turns RGB into OpenCV's BGR on the way to a file, and back."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.drawing.images import DrawingError, check_rgb
from posescope.errors import DataError
from posescope.files import atomic_write

__all__ = ["read_png", "write_png"]


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write an (H, W, 3) uint8 RGB array, atomically; folders above it are made.

    Raises:
        DrawingError: if the array is no such picture, or cannot be written.
    """
    check_rgb(picture, str(path))
    # OpenCV crashes on file names that are no UTF-8: it gets no name, here and in `read_png`.
    well, encoded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    if not well:
        raise DrawingError(f"{path}: OpenCV could not write the picture.")
    with atomic_write(path) as temporary:
        try:
            temporary.write_bytes(encoded.tobytes())
        except OSError as error:
            raise DrawingError(f"{path}: could not write the picture ({error.strerror}).") from error


def read_png(path: Path) -> NDArray[np.uint8]:
    """Read what `write_png` wrote: (H, W, 3) uint8 RGB.

    Raises:
        DataError: if there is no such file, or it is no picture.
    """
    try:
        raw = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"{path}: there is no such picture.") from error
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if image is None:
        raise DataError(f"{path}: this picture cannot be read.")
    return np.asarray(image[..., ::-1], dtype=np.uint8)
