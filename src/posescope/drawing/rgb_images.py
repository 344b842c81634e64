"""What the drawing functions ask of an image, and the error that says what is wrong with it."""

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

__all__ = ["DrawingError", "check_rgb", "PngImage", "read_png", "read_png_text", "write_png"]


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


_SIGNATURE, _IHDR_END = b"\x89PNG\r\n\x1a\n", 33  # the header chunk is always the first one and 25 bytes long


@dataclass(frozen=True, eq=False)
class PngImage:
    """A picture and what it says of itself.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        text: by keyword, Latin-1; kept in the file's text chunks.
    """

    image: NDArray[np.uint8]
    text: Mapping[str, str] = field(default_factory=dict)


def write_png(path: Path, picture: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> None:
    """Write an (H, W, 3) uint8 RGB array, atomically; folders above it are made.

    Args:
        path: the file.
        picture: the array.
        text: written into tEXt chunks (PNG specification, 11.3.4.3): Latin-1, keywords of 1 to 79 characters.

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
            temporary.write_bytes(_insert_text(encoded.tobytes(), text or {}))
        except OSError as error:
            raise DrawingError(f"{path}: could not write the picture ({error.strerror}).") from error


def _insert_text(png: bytes, text: Mapping[str, str]) -> bytes:
    chunks = []
    for keyword, value in text.items():
        body = b"tEXt" + keyword.encode("latin-1") + b"\0" + value.encode("latin-1")
        chunks.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
    return png[:_IHDR_END] + b"".join(chunks) + png[_IHDR_END:]


def read_png_text(path: Path) -> dict[str, str]:
    """Read the text chunks of a PNG file by keyword; empty where there are none, or the file is damaged or no PNG.

    Raises:
        DataError: if there is no such file.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: there is no such picture.") from error
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
