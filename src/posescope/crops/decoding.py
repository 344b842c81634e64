"""Read image files as RGB, and refuse what is damaged: a network must not learn from pixels that a decoder made up."""

import re
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from posescope.errors import DataError

__all__ = ["JPEG_START", "ImageError", "decode_image", "read_bytes", "read_image"]

JPEG_START = b"\xff\xd8"
_SWAPPED_BY_OPENCV = b"P7"  # PAM: OpenCV gives red for blue
_FOUR_COLOURS = frozenset({"CMYK", "YCCK"})
# libjpeg's word for bytes between the last block and the end mark. Some cameras leave a few, and no pixel suffers; many of them
# mean that blocks were lost on the way and all that follows is out of place.
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MOST_LEFT_OVER_BYTES = 32


class ImageError(DataError):
    """An image file is missing, damaged, no image, or of another size than the annotations say.

    Attributes:
        kind: the same in a few words, for the table of issues: who counts failures needs no file names.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_image(path: Path, expected_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode an image as RGB; its EXIF orientation is ignored, as COCO's labels expect (not in TIFF: OpenCV turns those).

    JPEG by simplejpeg, which says when data are missing or broken (OpenCV fills the rest with one colour and says nothing);
    everything else by OpenCV. The content decides, not the name.

    Args:
        path: of the image; grey images come out with three equal channels, 16 bits as 8, transparency is left out.
        expected_size: (height, width) px that the annotations state.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: if the file is missing, no image, damaged or cut short, or of another size than the annotations say.
    """
    return decode_image(read_bytes(path), path, expected_size)


def read_bytes(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: if the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError("image cannot be read", f"{path}: cannot be decoded as an image ({error.strerror}).") from error


def decode_image(raw: bytes, path: Path, expected_size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode the bytes of an image file as `read_image` does; `path` is their name in errors."""
    try:
        image = _decode_jpeg(raw, path, expected_size) if raw.startswith(JPEG_START) else _decode_other(raw, path)
    except MemoryError as error:
        raise ImageError("image cannot be decoded", f"{path}: there is not enough memory to decode it.") from error
    _check_size(path, (image.shape[0], image.shape[1]), expected_size)
    return image


def _check_size(path: Path, found: tuple[int, int], expected: tuple[int, int] | None) -> None:
    if expected is not None and found != expected:
        raise ImageError(
            "image has another size", f"{path}: the annotations say {expected} px (height, width), the file has {found}."
        )


def _decode_jpeg(raw: bytes, path: Path, expected_size: tuple[int, int] | None) -> NDArray[np.uint8]:
    raw = _with_known_version(raw)
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(raw, strict=False)
    except (ValueError, KeyError) as error:  # KeyError: no way of subsampling, for want of a frame
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error}).") from error
    _check_size(path, (height, width), expected_size)  # before memory is asked for: a header can say anything
    wanted = "CMYK" if colours in _FOUR_COLOURS else "RGB"
    try:
        image = simplejpeg.decode_jpeg(raw, colorspace=wanted, strict=True)
    except ValueError as error:
        if str(error).startswith("Unsupported"):
            raise ImageError("image cannot be decoded", f"{path}: a kind of JPEG that is not supported ({error}).") from error
        if not _is_harmless(str(error)):
            raise ImageError(
                "image is damaged", f"{path}: the JPEG file is damaged or cut short ({error}; {len(raw)} bytes); fetch it again."
            ) from error
        image = simplejpeg.decode_jpeg(raw, colorspace=wanted, strict=False)
    # Printers' colours: whole, as has been seen above; OpenCV knows how to turn them into RGB.
    return _decode_other(raw, path) if wanted == "CMYK" else np.asarray(image, dtype=np.uint8)


def _is_harmless(warning: str) -> bool:
    left_over = _LEFT_OVER.search(warning)
    return left_over is not None and int(left_over[1]) <= _MOST_LEFT_OVER_BYTES


def _with_known_version(raw: bytes) -> bytes:
    """A file whose header speaks of a later version of JFIF, which libjpeg warns of, as one of 1.02: no pixel depends on it."""
    is_later = raw[6:11] == b"JFIF\0" and raw[11:12] > b"\x01"
    return raw[:11] + b"\x01\x02" + raw[13:] if is_later else raw


def _decode_other(raw: bytes, path: Path) -> NDArray[np.uint8]:
    if raw.startswith(_SWAPPED_BY_OPENCV):
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image (PAM is not supported).")
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), flags) if raw else None
    except cv2.error as error:  # more pixels than OpenCV takes
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error.msg.strip()}).") from error
    if image is None:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image.")
    return np.asarray(image, dtype=np.uint8)
