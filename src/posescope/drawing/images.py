"""What the drawing functions ask of an image, and the error that says what is wrong with it."""

import numpy as np
from numpy.typing import NDArray

from posescope.errors import PosescopeError

__all__ = ["DrawingError", "check_rgb"]


class DrawingError(PosescopeError):
    """Something that cannot be drawn: an image, joints or maps of the wrong shape or type, or nothing at all."""


def check_rgb(image: NDArray[np.uint8], what: str = "image") -> None:
    """Accept only a non-empty (H, W, 3) uint8 array; `what` names it in the message.

    Raises:
        DrawingError: otherwise.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise DrawingError(
            f"{what}: expected a non-empty (H, W, 3) uint8 RGB array, found shape {image.shape} of {image.dtype}. "
            "Convert it first (float images: multiply by 255 and round)."
        )
