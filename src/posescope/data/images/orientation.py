"""EXIF orientation: read it from the bytes of a file, and rotate or reflect images by it.

Labels refer to one of two pixel frames: the image as `stored` (COCO, and readers that ignore EXIF), or the `upright` image
(browsers, most labelling tools, cv2.imread).

    1 upright          2 flip left-right   3 rotate by 180       4 flip top-bottom
    5 transpose        6 rotate by 90      7 transverse          8 rotate by 270     (clockwise: what makes the image upright)

JPEG, PNG and WebP files hold it in an EXIF block, a small TIFF file; TIFF files in their first directory (`tiff_header`).
Source: CIPA DC-008 (EXIF 2.32), tag 0x0112.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDEWAYS", "UPRIGHT", "PixelFrame", "exif_orientation", "undo_orientation", "apply_orientation"]

PixelFrame: TypeAlias = Literal["stored", "upright"]

UPRIGHT = 1
SIDEWAYS = frozenset({5, 6, 7, 8})  # height and width are swapped
_ORIENTATION_TAG = 0x0112
_LONG = 4
_INVERSE = {6: 8, 8: 6}  # the others are their own inverse
_TRANSFORMS: Mapping[int, Callable[[Any], Any]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.transpose(cv2.rotate(image, cv2.ROTATE_180)),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def exif_orientation(raw: bytes) -> int:
    """Return the EXIF orientation of an encoded image, 1..8; 1 if it is absent or invalid."""
    if raw.startswith(b"\xff\xd8"):
        exif = _exif_of_jpeg(raw)
    elif raw.startswith(b"\x89PNG\r\n\x1a\n"):
        exif = _exif_of_png(raw)
    elif raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
        exif = _exif_of_webp(raw)
    else:
        exif = b""
    return _orientation_of(exif)


def apply_orientation(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the upright image.

    Args:
        image: (H, W, 3) uint8, as stored.
        orientation: EXIF orientation, 1..8.

    Returns:
        (H, W, 3) uint8, or (W, H, 3) for the orientations 5 to 8.
    """
    transform = _TRANSFORMS.get(orientation)
    return image if transform is None else np.asarray(transform(image), dtype=np.uint8)


def undo_orientation(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the image as stored: the inverse of `apply_orientation`.

    Args:
        image: the upright image.
        orientation: EXIF orientation, 1..8.
    """
    return apply_orientation(image, _INVERSE.get(orientation, orientation))


def _exif_of_jpeg(raw: bytes) -> bytes:
    at = 2
    while raw[at : at + 1] == b"\xff":
        marker = raw[at + 1 : at + 2]
        if marker == b"\xff":  # a fill byte
            at += 1
            continue
        if marker in (b"\xda", b"\xd9"):  # image data or end of file
            break
        end = at + 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
        if marker == b"\xe1" and raw[at + 4 : at + 10] == b"Exif\0\0":
            return raw[at + 10 : end]
        at = end
    return b""


def _exif_of_png(raw: bytes) -> bytes:
    at = 8
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        if raw[at + 4 : at + 8] == b"eXIf":
            return raw[at + 8 : at + 8 + length]
        at += length + 12  # length, name and checksum included
    return b""


def _exif_of_webp(raw: bytes) -> bytes:
    at = 12
    while at < len(raw):
        length = int.from_bytes(raw[at + 4 : at + 8], "little")
        if raw[at : at + 4] == b"EXIF":
            return raw[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
    return b""


def _orientation_of(exif: bytes) -> int:
    """Return the orientation in the first directory of an EXIF block; bytes behind its end read as 0."""
    if exif[:2] not in (b"II", b"MM"):
        return UPRIGHT
    order = "little" if exif[:2] == b"II" else "big"

    def number(at: int, length: int) -> int:
        return int.from_bytes(exif[at : at + length], order)  # type: ignore[arg-type]

    first = number(4, 4)
    for entry in range(first + 2, first + 2 + 12 * number(first, 2), 12):
        if number(entry, 2) == _ORIENTATION_TAG:
            value = number(entry + 8, 4 if number(entry + 2, 2) == _LONG else 2)
            return value if value in _TRANSFORMS else UPRIGHT
    return UPRIGHT
