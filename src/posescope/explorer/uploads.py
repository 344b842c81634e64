"""Decode photographs that a browser sends, with bounded memory; all other content is refused with one line.

JPEG, PNG and WebP are accepted, recognised by their first bytes; the stated media type and the file name have no influence. The
size in bytes is checked before the text is decoded, the number of pixels before the pixels are. The EXIF orientation is applied,
as browsers do.
"""

import base64
import binascii
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.core.text_escaping import escape_control
from posescope.data.images.decoding import decode_image
from posescope.data.images.headers import ImageHeader, read_header
from posescope.data.images.limits import ImageError, ImageLimits

__all__ = ["UploadError", "UploadLimits", "bytes_of_data_uri", "read_upload"]

_NAME = Path("Photograph")  # stands for the file in messages: its name is chosen by the sender
_FORMATS = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP", re.DOTALL)
_JPEG = b"\xff\xd8\xff"
# Each scan of a progressive JPEG file is a pass over the whole image. Photographs have about ten, and some hundred segments.
_MAX_SCANS, _MAX_SEGMENTS = 100, 5000
_SEGMENT = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # no stuffed byte, no restart marker
_END, _SCAN, _WITHOUT_LENGTH = 0xD9, 0xDA, (0x01, 0xD8)
_OTHER_FORMATS = (
    (re.compile(rb"....ftyp", re.DOTALL), "HEIC, AVIF or a video"),
    (re.compile(rb"GIF8"), "GIF"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF or a raw file of a camera"),
    (re.compile(rb"%PDF"), "PDF"),
    (re.compile(rb"\s*<"), "SVG, HTML or XML"),
    (re.compile(rb"PK\x03\x04"), "an archive"),
)
_DATA_URI = re.compile(r"data:[^,;]{0,100}(?:;[^,;]{1,100}){0,4};base64,")
_LONGEST_PREFIX = 600
_TOO_LARGE = "image is too large"
_MOST_MEGAPIXELS = 150.0
_ANY_SIZE = ImageLimits(max_megapixels=_MOST_MEGAPIXELS, max_side_px=65_535)  # the limits of uploads are stated in other words


class UploadError(DataError):
    """An upload is no photograph, damaged or too large. The message is one line.

    Attributes:
        kind: short reason, the same for all uploads that are refused for it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class UploadLimits(Options):
    """Largest photograph that is accepted. Decoding takes 3 to 20 bytes of memory per pixel, the most for WebP."""

    max_megabytes: float = Field(
        25.0, gt=0, le=1000, allow_inf_nan=False, description="largest file, in millions of bytes; larger ones are refused"
    )
    max_megapixels: float = Field(
        40.0,
        gt=0,
        le=_MOST_MEGAPIXELS,
        allow_inf_nan=False,
        description="largest number of pixels, in millions; checked before decoding",
    )
    max_side_px: int = Field(16_384, ge=1, le=65_535, description="largest length of the longer side, px")

    @property
    def max_bytes(self) -> int:
        """Largest file, in bytes."""
        return int(self.max_megabytes * 1e6)

    @property
    def max_characters(self) -> int:
        """Largest length of a data URI: the file in base64, which has four characters per three bytes, and the prefix."""
        return 4 * -(-self.max_bytes // 3) + _LONGEST_PREFIX


_LIMITS = UploadLimits()


def bytes_of_data_uri(text: object, limits: UploadLimits = _LIMITS) -> bytes:
    """Decode a data URI, as `dcc.Upload` gives it.

    Args:
        text: `data:<media type>;base64,<content>`; anything else is refused.
        limits: largest file.

    Returns:
        The bytes of the file. Their content is not checked; the media type has no influence.

    Raises:
        UploadError: if it is no text, too long, no base64 data URI, or empty.

    Example:
        >>> bytes_of_data_uri("data:text/plain;base64,aGFuZA==")
        b'hand'
    """
    if not isinstance(text, str):
        raise UploadError("no data URI", f"Photograph: expected a data URI, found {type(text).__name__}. Choose the file again.")
    if len(text) > limits.max_characters:
        raise _too_many_bytes(3 * len(text) // 4, limits)
    prefix = _DATA_URI.match(text)
    if prefix is None:
        found = escape_control(text[:20])
        raise UploadError("no data URI", f"Photograph: expected a data URI in base64, found '{found}...'. Choose the file again.")
    try:
        raw = base64.b64decode(text[prefix.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UploadError("no base64", f"Photograph: the content is not base64 ({error}). Choose the file again.") from error
    if not raw:
        raise UploadError("empty", "Photograph: the file is empty. Choose another file.")
    return raw


def read_upload(data: bytes, limits: UploadLimits = _LIMITS) -> NDArray[np.uint8]:
    """Decode an uploaded photograph.

    Args:
        data: bytes of the file, from any source.
        limits: largest photograph.

    Returns:
        (H, W, 3) uint8 RGB, upright by its EXIF orientation. Transparent pixels are white, grey and CMYK become RGB; of an
        animation the first image is decoded.

    Raises:
        UploadError: if the content is not JPEG, PNG or WebP, is damaged, or exceeds a limit.
    """
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(len(data), limits)
    _check_format(data)
    try:
        header = read_header(data, _NAME, _ANY_SIZE)
        _check_size(header, limits)
        return decode_image(data, _NAME, frame="upright", limits=_ANY_SIZE, header=header)
    except ImageError as error:
        if error.kind == _TOO_LARGE:
            raise UploadError(_TOO_LARGE, f"Photograph: expected {_describe(limits)}; the file declares more.") from error
        raise UploadError(error.kind, _one_line(error)) from error


def _check_format(data: bytes) -> None:
    """Check the first bytes, and what determines the time of decoding."""
    if _FORMATS.match(data) is None:
        found = next((name for start, name in _OTHER_FORMATS if start.match(data)), f"a file that starts with {data[:8]!r}")
        raise UploadError("another format", f"Photograph: expected JPEG, PNG or WebP, found {found}. Save it as JPEG or PNG.")
    if data.startswith(_JPEG):
        _check_scans(data)


def _check_scans(data: bytes) -> None:
    """Count segments and scans of a JPEG file up to its end marker; a video may follow it (motion photographs)."""
    at, segments, scans = 2, 0, 0
    while (found := _SEGMENT.search(data, at)) is not None and found[1][0] != _END:
        segments, scans = segments + 1, scans + (found[1][0] == _SCAN)
        if segments > _MAX_SEGMENTS or scans > _MAX_SCANS:
            raise UploadError(
                "too many scans",
                f"Photograph: expected at most {_MAX_SCANS} scans and {_MAX_SEGMENTS} segments in a JPEG file, found more. Save "
                "it again.",
            )
        length = 0 if found[1][0] in _WITHOUT_LENGTH else int.from_bytes(data[found.end() : found.end() + 2], "big")
        at = found.end() + length


def _check_size(header: ImageHeader, limits: UploadLimits) -> None:
    height, width = header.upright_size
    if max(height, width) > limits.max_side_px or height * width > limits.max_megapixels * 1e6:
        raise UploadError(
            _TOO_LARGE,
            f"Photograph: expected {_describe(limits)}, found {width} x {height} px ({height * width / 1e6:.1f} megapixels). "
            "Make it smaller.",
        )


def _describe(limits: UploadLimits) -> str:
    return f"at most {limits.max_megapixels:g} megapixels and {limits.max_side_px:,} px per side"


def _too_many_bytes(found: int, limits: UploadLimits) -> UploadError:
    return UploadError(
        "file is too large",
        f"Photograph: expected a file of at most {limits.max_megabytes:g} MB, found {found / 1e6:.1f} MB. Make it smaller.",
    )


def _one_line(error: ImageError) -> str:
    return escape_control(" ".join(str(error).split()))[:500]
