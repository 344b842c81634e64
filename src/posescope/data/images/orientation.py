"""How a camera was held: EXIF's orientation, read from the bytes of a file, and pictures turned by it.

Labels are in one of two frames: the px of the picture as it is `stored` (COCO, and readers that ignore EXIF), or those of the
`upright` picture (browsers, most labelling tools, cv2.imread).

    1 upright   2 mirrored   3 upside down   4 3 mirrored   5 6 mirrored   6 turn it right   7 8 mirrored   8 turn it left

JPEG, PNG and WebP say it in a block of EXIF, which is a small TIFF file. TIFF files say it in their first directory (`tiff`).
Follows: CIPA DC-008 (EXIF 2.32), tag 0x0112.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDEWAYS", "UPRIGHT", "PixelFrame", "exif_orientation", "undo_orientation", "apply_orientation"]

PixelFrame: TypeAlias = Literal["stored", "upright"]

UPRIGHT = 1
SIDEWAYS = frozenset({5, 6, 7, 8})  # height and width change places
_ORIENTATION_TAG = 0x0112
_LONG = 4
_BACK = {6: 8, 8: 6}  # the other turns are their own inverse
_TURNS: Mapping[int, Callable[[Any], Any]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.transpose(cv2.rotate(image, cv2.ROTATE_180)),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def exif_orientation(raw: bytes) -> int:
    """EXIF's orientation of an encoded image, 1..8; 1 where there is none, or one that means nothing."""
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
    """Return the picture as it was seen.

    Args:
        image: (H, W, 3) uint8, as it is stored.
        orientation: EXIF's, 1..8.

    Returns:
        (H, W, 3) uint8, or (W, H, 3) for 5 to 8.
    """
    turn = _TURNS.get(orientation)
    return image if turn is None else np.asarray(turn(image), dtype=np.uint8)


def undo_orientation(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the picture as it is stored: the inverse of `apply_orientation`."""
    return apply_orientation(image, _BACK.get(orientation, orientation))


def _exif_of_jpeg(raw: bytes) -> bytes:
    at = 2
    while raw[at : at + 1] == b"\xff":
        marker = raw[at + 1 : at + 2]
        if marker == b"\xff":  # a byte of filling
            at += 1
            continue
        if marker in (b"\xda", b"\xd9"):  # the picture itself, or the end
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
        at += length + 12  # with its own length, its name and its checksum
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
    """From the first directory of a block of EXIF; what lies behind its end reads as 0."""
    if exif[:2] not in (b"II", b"MM"):
        return UPRIGHT
    order = "little" if exif[:2] == b"II" else "big"

    def number(at: int, length: int) -> int:
        return int.from_bytes(exif[at : at + length], order)  # type: ignore[arg-type]

    first = number(4, 4)
    for entry in range(first + 2, first + 2 + 12 * number(first, 2), 12):
        if number(entry, 2) == _ORIENTATION_TAG:
            value = number(entry + 8, 4 if number(entry + 2, 2) == _LONG else 2)
            return value if value in _TURNS else UPRIGHT
    return UPRIGHT
