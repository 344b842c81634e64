"""Cut squares out of one decoded image and resize them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.errors import DataError

__all__ = ["cut_square", "read_image"]

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_TAIL_BYTES = 4096  # some cameras and editors pad their files after the end


def read_image(path: Path, expected_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode an image as RGB; its EXIF orientation is ignored, as COCO's labels expect.

    Args:
        path: of the image; grey images come out with three equal channels.
        expected_size: (height, width) px that the annotations state.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: if the file is no image, is cut short, or has another size than the annotations say.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be decoded as an image ({error.strerror}).") from error
    # OpenCV fills what a truncated JPEG lacks with one colour, and says nothing.
    if raw.startswith(JPEG_START) and JPEG_END not in raw[-JPEG_TAIL_BYTES:]:
        raise DataError(f"{path}: the JPEG file is cut short ({len(raw)} bytes, no end marker); fetch it again.")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), flags) if raw else None
    if image is None:
        raise DataError(f"{path}: cannot be decoded as an image.")
    if expected_size is not None and image.shape[:2] != expected_size:
        raise DataError(f"{path}: the annotations say {expected_size} px (height, width), the file has {image.shape[:2]}.")
    # OpenCV reads BGR; everything inside is RGB from here on.
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def cut_square(
    image: NDArray[np.uint8], left: int, top: int, side: int, size_px: int, padding_rgb: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """The square at (left, top), `side` px wide, resized to `size_px`.

    Shrinking averages over the area (anti-aliased), enlarging is bilinear; both keep the outer edges, as
    `geometry.affine.crop_from_image` has it. The part outside the image has the padding's colour.

    Returns:
        (size_px, size_px, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side, width), min(top + side, height)
    square = image[y0 : max(y1, y0), x0 : max(x1, x0)]
    if square.shape[:2] != (side, side):
        padded = np.empty((side, side, 3), dtype=np.uint8)
        padded[:] = padding_rgb
        padded[y0 - top : y0 - top + square.shape[0], x0 - left : x0 - left + square.shape[1]] = square
        square = padded
    if side == size_px:
        return square.copy()
    interpolation = cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size_px, size_px), interpolation=interpolation), dtype=np.uint8)
