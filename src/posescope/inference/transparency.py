"""Transparent pictures: what shines through is white, as most viewers show it.

Under transparent pixels a file may hide anything. Whoever leaves the transparency out brings it to light: the background that
somebody has cut away, or noise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["lay_on_white", "read_alpha"]

_WHITE = 255


def read_alpha(raw: bytes) -> NDArray[np.uint8] | None:
    """How opaque the pixels of an encoded image are.

    Only PNG, WebP and GIF are asked: OpenCV lays transparent TIFF on black, and the fourth channel of BMP has no meaning.

    Returns:
        (H, W) uint8, 255 opaque; none where the file speaks of no transparency.
    """
    if not _may_be_transparent(raw):
        return None
    image = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        return None
    sixteen_bits = image.dtype == np.uint16
    return np.asarray(image[..., 3] // (257 if sixteen_bits else 1), dtype=np.uint8)


def lay_on_white(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB over white, weighted by (H, W) uint8: 255 keeps the picture, 0 gives white."""
    opacity = alpha[..., None].astype(np.uint16)
    mixed = image * opacity + _WHITE * (_WHITE - opacity)
    return ((mixed + _WHITE // 2) // _WHITE).astype(np.uint8)


def _may_be_transparent(raw: bytes) -> bool:
    if raw.startswith(b"\x89PNG"):
        return raw[25:26] in (b"\x04", b"\x06") or b"tRNS" in raw  # the colour type says it, or a chunk does
    return raw.startswith(b"GIF8") or (raw.startswith(b"RIFF") and raw[8:12] == b"WEBP")
