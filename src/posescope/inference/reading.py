"""Pictures as people see them: upright by EXIF, transparency over white.

Training reads the same files without EXIF (`crops.decoding`), since COCO's labels stand in the stored pixels. Here joints and
boxes are in the px of the upright picture, as every viewer shows it.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from posescope.crops.decoding import JPEG_START, ImageError, decode_image, read_bytes
from posescope.inference.orientation import SIDEWAYS, exif_orientation, turn_upright
from posescope.inference.transparency import lay_on_white, read_alpha

__all__ = ["read_size", "read_upright"]


def read_upright(path: Path) -> NDArray[np.uint8]:
    """Decode an image and turn it upright; its size is that of the upright picture.

    Args:
        path: of the image; grey images come out with three equal channels, 16 bits as 8, printers' colours as RGB, what is
            transparent as white, and of an animation the first picture.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: if the file is missing, no image, damaged or cut short.
    """
    raw = read_bytes(path)
    image = decode_image(raw, path)
    alpha = read_alpha(raw)
    return turn_upright(image if alpha is None else lay_on_white(image, alpha), exif_orientation(raw))


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) px of the upright picture, from the file's header: what `read_upright` gives, unless the rest is damaged.

    Raises:
        ImageError: if the file is missing, or has no header of an image.
    """
    raw = read_bytes(path)
    height, width = _stored_size(raw, path)
    return (width, height) if exif_orientation(raw) in SIDEWAYS else (height, width)


def _stored_size(raw: bytes, path: Path) -> tuple[int, int]:
    if not raw.startswith(JPEG_START):
        return _size_of_other(raw, path)
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(raw, strict=False)
    except (ValueError, KeyError) as error:
        raise _no_header(path, error) from error
    return int(height), int(width)


def _size_of_other(raw: bytes, path: Path) -> tuple[int, int]:
    from PIL import Image  # noqa: PLC0415 - slow to load, and most pictures are JPEG

    try:
        with Image.open(BytesIO(raw)) as image:
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _no_header(path, error) from error
    return height, width


def _no_header(path: Path, error: Exception) -> ImageError:
    return ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error}).")
