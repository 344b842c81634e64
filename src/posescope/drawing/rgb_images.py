"""RGB images: the check of all drawing functions, and PNG files with text. Only this module converts to OpenCV's BGR."""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError, PosescopeError
from posescope.core.files import atomic_write

__all__ = ["DrawingError", "PngImage", "check_rgb", "read_png", "read_png_text", "write_png"]

_SIGNATURE, _IHDR_END = b"\x89PNG\r\n\x1a\n", 33  # the header chunk comes first and has 25 bytes


class DrawingError(PosescopeError):
    """An image, joints or heatmaps have the wrong shape or type, or are empty."""


def check_rgb(image: NDArray[np.uint8], what: str = "image") -> None:
    """Check that an image is a non-empty (H, W, 3) uint8 array.

    Args:
        image: array to check.
        what: name of the image in the message.

    Raises:
        DrawingError: otherwise.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise DrawingError(
            f"{what}: expected a non-empty (H, W, 3) uint8 RGB array, found shape {image.shape} of {image.dtype}. "
            "Convert it first (float images: multiply by 255 and round)."
        )


@dataclass(frozen=True, eq=False)
class PngImage:
    """An image with text for its PNG file.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        text: Latin-1 text by keyword, saved in the text chunks of the file.
    """

    image: NDArray[np.uint8]
    text: Mapping[str, str] = field(default_factory=dict)


def write_png(path: Path, image: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> None:
    """Write an RGB image atomically; missing parent folders are created.

    Args:
        path: path of the file.
        image: (H, W, 3) uint8 RGB.
        text: content of tEXt chunks (PNG specification, 11.3.4.3): Latin-1, keywords of 1 to 79 characters.

    Raises:
        DrawingError: if the array is no RGB image, or writing fails.
    """
    check_rgb(image, str(path))
    # OpenCV crashes on file names that are not UTF-8, so it gets bytes, here and in `read_png`.
    succeeded, encoded = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR))
    if not succeeded:
        raise DrawingError(f"{path}: OpenCV could not encode the image.")
    with atomic_write(path) as temporary:
        try:
            temporary.write_bytes(_insert_text(encoded.tobytes(), text) if text else encoded.tobytes())
        except OSError as error:
            raise DrawingError(f"{path}: could not write the image ({error.strerror}).") from error


def _insert_text(png: bytes, text: Mapping[str, str]) -> bytes:
    chunks = []
    for keyword, value in text.items():
        body = b"tEXt" + keyword.encode("latin-1") + b"\0" + value.encode("latin-1")
        chunks.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
    return png[:_IHDR_END] + b"".join(chunks) + png[_IHDR_END:]


def read_png_text(path: Path) -> dict[str, str]:
    """Return the text chunks of a PNG file by keyword; empty if there are none or the file is damaged.

    Raises:
        DataError: if the file does not exist.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: no such image file.") from error
    found: dict[str, str] = {}
    place = len(_SIGNATURE) if raw.startswith(_SIGNATURE) else len(raw)
    while place + 12 <= len(raw):
        (length,) = struct.unpack_from(">I", raw, place)
        body, check = raw[place + 4 : place + 8 + length], raw[place + 8 + length : place + 12 + length]
        if body[:4] == b"tEXt" and check == struct.pack(">I", zlib.crc32(body)):
            keyword, _, value = body[4:].partition(b"\0")
            found[keyword.decode("latin-1")] = value.decode("latin-1")
        place += 12 + length
    return found


def read_png(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) uint8 RGB.

    Raises:
        DataError: if the file does not exist or is no image.
    """
    try:
        raw = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"{path}: no such image file.") from error
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if image is None:
        raise DataError(f"{path}: not a readable image.")
    return np.asarray(image[..., ::-1], dtype=np.uint8)
