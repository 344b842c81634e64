"""Transparent pictures are laid on white, as most viewers show them; training and prediction alike.

A file may hide anything under transparent pixels: the background that somebody has cut away, or noise. A reader that drops the
opacity brings it to light.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.images.headers import ImageHeader, find_png_chunk

__all__ = ["lay_on_white", "remove_transparency"]

_WHITE = 255
_GREY, _GREY_ALPHA, _RGB_ALPHA = 0, 4, 6  # colour types of PNG
_STRIP_PX = 4_000_000  # mixed at once: whole pictures of 16 bits would take three times the memory


def remove_transparency(image: NDArray[np.uint8], raw: bytes, header: ImageHeader) -> NDArray[np.uint8]:
    """Lay a decoded picture on white where its file has an opacity.

    PNG, WebP, GIF and TIFF are asked; the fourth channel of BMP has no meaning.

    Args:
        image: (H, W, 3) uint8 RGB, decoded from `raw` without its opacity.
        raw: the file's bytes.
        header: of the file.

    Returns:
        (H, W, 3) uint8 RGB: `image` itself where nothing is transparent.
    """
    if not _may_be_transparent(raw, header):
        return image
    decoded = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    opacity = None if decoded is None else _opacity_of(decoded, raw, header)
    if opacity is None or opacity.shape != image.shape[:2]:
        return image
    return _complete_premultiplied(image, opacity) if header.premultiplied else lay_on_white(image, opacity)


def lay_on_white(image: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB over white, weighted by (H, W) uint8: 255 keeps the picture, 0 gives white."""
    laid = np.empty_like(image)
    step = max(1, _STRIP_PX // max(image.shape[1], 1))
    for start in range(0, len(image), step):
        weight = opacity[start : start + step, :, None].astype(np.uint16)
        mixed = image[start : start + step] * weight + _WHITE * (_WHITE - weight)
        laid[start : start + step] = (mixed + _WHITE // 2) // _WHITE
    return laid


def _complete_premultiplied(image: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours are multiplied by the opacity already: white is what is missing."""
    white = np.repeat(_WHITE - opacity[..., None], 3, axis=2)
    return np.asarray(cv2.add(image, white), dtype=np.uint8)


def _may_be_transparent(raw: bytes, header: ImageHeader) -> bool:
    if header.kind == "PNG":
        return raw[25] in (_GREY_ALPHA, _RGB_ALPHA) or find_png_chunk(raw, b"tRNS") is not None  # the colour type, or a chunk
    return header.kind in ("GIF", "WebP") or header.premultiplied


def _opacity_of(decoded: NDArray[np.generic], raw: bytes, header: ImageHeader) -> NDArray[np.uint8] | None:
    """(H, W) uint8, 255 opaque; none where the picture has no opacity."""
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        return np.asarray(decoded[..., 3] // (257 if decoded.dtype == np.uint16 else 1), dtype=np.uint8)
    if decoded.ndim == 2 and header.kind == "PNG" and raw[25] == _GREY:  # OpenCV knows no transparent grey
        chunk = find_png_chunk(raw, b"tRNS")
        return None if chunk is None else np.where(decoded == _grey_value(chunk, header.bits), 0, _WHITE).astype(np.uint8)
    return None


def _grey_value(chunk: bytes, bits: int) -> int:
    """The grey value that the chunk tRNS of a PNG calls transparent, on the scale of the decoded pixels."""
    largest: int = 2**bits - 1
    value = int.from_bytes(chunk[:2], "big") & largest
    return value if bits >= 8 else value * 255 // largest
