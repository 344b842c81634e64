"""Read format, size and orientation from the header of an image file, and check the size against limits, without decoding.

    JPEG, PNG (APNG), GIF, WebP, BMP, TIFF (BigTIFF), PBM/PGM/PPM

Other formats are refused, because the memory of their decoders is not bounded here; so are files that would be decoded to wrong
brightness or colours.

Source: ISO/IEC 15948 (PNG), GIF89a, RFC 9649 (WebP), Windows BITMAPINFOHEADER, TIFF 6.0, Netpbm.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import simplejpeg
from pydantic import Field

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.data.images.orientation import SIDEWAYS, UPRIGHT, exif_orientation
from posescope.data.images.tiff_header import TIFF_STARTS, TiffError, read_tiff

__all__ = ["ImageError", "ImageHeader", "ImageLimits", "MissingImageError", "find_png_chunk", "read_header"]

_JPEG, _PNG, _GIF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF8"
_PNM = re.compile(rb"P([1-6])" + rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})" * 2)
_PNM_BRIGHTEST = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,5})\s")
_BITMAP_OF_BITS = frozenset({b"1", b"4"})
_BRIGHTEST = {b"255": 8, b"65535": 16}
_BIT_FIELDS = 3
_METADATA_BYTES = 64 * 2**20  # allowed beside the pixels of a file
_MAX_BYTES_PER_PX = 8  # four samples of 16 bits, uncompressed
_BGRX_MASKS = bytes.fromhex("0000ff00 00ff0000 ff000000")
_UNSUPPORTED = (
    (re.compile(rb"....ftyp(avif|avis|mif1|heic|heix|msf1)", re.DOTALL), "AVIF or HEIF"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", re.DOTALL), "JPEG 2000"),
    (re.compile(rb"P7"), "PAM"),
    (re.compile(rb"P[Ff]\s"), "PFM"),
    (re.compile(rb"#\?RADIANCE"), "Radiance HDR"),
    (re.compile(rb"\x76\x2f\x31\x01"), "OpenEXR"),
    (re.compile(rb"\x59\xa6\x6a\x95"), "Sun raster"),
    (re.compile(rb"8BPS"), "Photoshop"),
    (re.compile(rb"%PDF"), "PDF"),
)


class ImageError(DataError):
    """An image file is missing, damaged, no image, too large, or has another size than annotated.

    Attributes:
        kind: short reason without the file name; the issues are grouped by it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class MissingImageError(ImageError):
    """The image file does not exist."""


@dataclass(frozen=True)
class ImageHeader:
    """The values that the header of an image file declares.

    Attributes:
        kind: JPEG, PNG, GIF, WebP, BMP, TIFF or PNM.
        stored_size: (height, width) px of the image as stored.
        largest_part: (height, width) px of the largest part that a decoder allocates: the image, or one tile.
        orientation: EXIF orientation, 1..8; 1 is upright.
        bits: per sample, 1..16; 8 if irrelevant.
        colours: colour space of a JPEG file (`CMYK`, `YCCK`, `YCbCr`, ...), else empty.
        premultiplied: whether the decoded colours are multiplied by the opacity (TIFF).
    """

    kind: str
    stored_size: tuple[int, int]
    largest_part: tuple[int, int]
    orientation: int = UPRIGHT
    bits: int = 8
    colours: str = ""
    premultiplied: bool = False

    @property
    def upright_size(self) -> tuple[int, int]:
        """(height, width) px of the upright image."""
        height, width = self.stored_size
        return (width, height) if self.orientation in SIDEWAYS else (height, width)


class _NoHeaderError(Exception):
    """The header is truncated or invalid."""


def read_header(raw: bytes, path: Path) -> ImageHeader:
    """Read the header of an encoded image. The content determines the format, not the file name.

    Args:
        raw: the file's bytes.
        path: path of the file, for messages.

    Raises:
        ImageError: if the file is no image or of an unsupported format, or its colours would be decoded wrongly.
    """
    reader = _find_reader(raw)
    if reader is None:
        kind = next((name for start, name in _UNSUPPORTED if start.match(raw)), None)
        reason = "" if kind is None else f" ({kind} is not supported; save it as PNG or JPEG)"
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image{reason}.")
    try:
        header = reader(raw)
    except (_NoHeaderError, TiffError) as error:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error}).") from error
    if min(header.stored_size) < 1:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image (a side of 0 px).")
    return header


def _find_reader(raw: bytes) -> Callable[[bytes], ImageHeader] | None:
    if raw.startswith(_JPEG):
        return _read_jpeg
    if raw.startswith(_PNG):
        return _read_png
    if raw.startswith(_GIF):
        return _read_gif
    if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
        return _read_webp
    if raw.startswith(b"BM"):
        return _read_bmp
    if raw.startswith(TIFF_STARTS):
        return _read_tiff
    return _read_pnm if _PNM.match(raw) else None


def _read_jpeg(raw: bytes) -> ImageHeader:
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(raw, strict=False)
    except (ValueError, KeyError) as error:  # KeyError: no frame, so no subsampling
        raise _NoHeaderError(str(error)) from error
    return _plain("JPEG", (int(height), int(width)), orientation=exif_orientation(raw), colours=str(colours))


def _read_png(raw: bytes) -> ImageHeader:
    if raw[12:16] != b"IHDR" or len(raw) < 33:
        raise _NoHeaderError("PNG without the chunk IHDR")
    _check_png_chunks(raw)
    return _plain("PNG", (_big(raw, 20, 4), _big(raw, 16, 4)), orientation=exif_orientation(raw), bits=raw[24])


def _check_png_chunks(raw: bytes) -> None:
    """Check that no chunk declares more bytes than the file has: the decoder allocates them before it reads."""
    size = len(raw)
    for at, length in _png_chunks(raw):
        if at + 8 + length > size:
            raise _NoHeaderError(f"PNG truncated or damaged: a chunk at byte {at} declares {length} bytes, the file has {size}")


def find_png_chunk(raw: bytes, name: bytes) -> bytes | None:
    """Return the content of the first chunk of a name, or None.

    Args:
        raw: the bytes of a PNG file.
        name: such as `tRNS`.
    """
    for at, length in _png_chunks(raw):
        if raw[at + 4 : at + 8] == name:
            return raw[at + 8 : at + 8 + length]
    return None


def _png_chunks(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and declared length of each chunk before IEND."""
    at = len(_PNG)
    while at + 8 <= len(raw) and raw[at + 4 : at + 8] != b"IEND":
        length = _big(raw, at, 4)
        yield at, length
        at += length + 12  # length, name and checksum included


def _read_gif(raw: bytes) -> ImageHeader:
    if len(raw) < 13:
        raise _NoHeaderError("GIF truncated")
    return _plain("GIF", (_little(raw, 8, 2), _little(raw, 6, 2)))


def _read_webp(raw: bytes) -> ImageHeader:
    if len(raw) < 30:
        raise _NoHeaderError("WebP truncated")
    chunk = raw[12:16]
    if chunk == b"VP8X":
        size = (_little(raw, 27, 3) + 1, _little(raw, 24, 3) + 1)
    elif chunk == b"VP8L":
        bits = _little(raw, 21, 4)
        size = ((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    elif chunk == b"VP8 ":
        size = (_little(raw, 28, 2) & 0x3FFF, _little(raw, 26, 2) & 0x3FFF)
    else:
        raise _NoHeaderError("WebP without image data in its first chunk")
    return _plain("WebP", size, orientation=exif_orientation(raw))


def _read_bmp(raw: bytes) -> ImageHeader:
    if len(raw) < 54:
        raise _NoHeaderError("BMP truncated")
    if _little(raw, 14, 4) == 12:  # the header of OS/2
        return _plain("BMP", (_little(raw, 20, 2), _little(raw, 18, 2)))
    width, height = (int.from_bytes(raw[at : at + 4], "little", signed=True) for at in (18, 22))
    if raw[28] == 32 and _little(raw, 30, 4) == _BIT_FIELDS and raw[54:66] != _BGRX_MASKS:
        raise _NoHeaderError("BMP with another channel order than blue, green, red")
    return _plain("BMP", (abs(height), max(width, 0)))  # a negative height: rows from top to bottom


def _read_pnm(raw: bytes) -> ImageHeader:
    start = _PNM.match(raw)
    if start is None:
        raise _NoHeaderError("PNM without its size")
    bits = 1
    if start[1] not in _BITMAP_OF_BITS:
        brightest = _PNM_BRIGHTEST.match(raw, start.end())
        if brightest is None or brightest[1] not in _BRIGHTEST:
            found = "none" if brightest is None else brightest[1].decode()
            raise _NoHeaderError(f"PNM: expected the maximum value 255 or 65535, found {found}")
        bits = _BRIGHTEST[brightest[1]]
    return _plain("PNM", (int(start[3]), int(start[2])), bits=bits)


def _read_tiff(raw: bytes) -> ImageHeader:
    found = read_tiff(raw)
    return ImageHeader("TIFF", found.size, found.largest_part, found.orientation, found.bits, premultiplied=found.has_opacity)


def _plain(kind: str, size: tuple[int, int], orientation: int = UPRIGHT, bits: int = 8, colours: str = "") -> ImageHeader:
    return ImageHeader(kind, size, size, orientation, bits, colours)


def _big(raw: bytes, at: int, length: int) -> int:
    return int.from_bytes(raw[at : at + length], "big")


def _little(raw: bytes, at: int, length: int) -> int:
    return int.from_bytes(raw[at : at + length], "little")


class ImageLimits(Options):
    """Maximum size of an image. Decoding takes 3 to 20 bytes of memory per pixel."""

    max_megapixels: float = Field(
        100.0, gt=0, le=1000, allow_inf_nan=False, description="maximum number of pixels, in millions; larger images are rejected"
    )
    max_side_px: int = Field(
        32_767, ge=1, le=65_535, description="maximum length of the longer side, px; larger images are rejected"
    )

    @property
    def max_file_bytes(self) -> int:
        """Maximum size of a file: an uncompressed image of the maximum size, and 64 MiB of metadata."""
        return int(self.max_megapixels * 1e6) * _MAX_BYTES_PER_PX + _METADATA_BYTES

    def check_size(self, size: tuple[int, int], path: Path) -> None:
        """Check a declared size.

        Args:
            size: (height, width) px.
            path: path of the file, for the message.

        Raises:
            ImageError: if a side or the area is too large.
        """
        height, width = size
        if max(size) > self.max_side_px or height * width > self.max_megapixels * 1e6:
            raise ImageError(
                "image is too large",
                f"{path}: the file declares an image of {height} x {width} px (height x width, {height * width / 1e6:.1f} "
                f"megapixels); expected at most {self.max_megapixels:g} megapixels and {self.max_side_px} px per side "
                "(options max_megapixels and max_side_px of image_limits; --max-megapixels of posescope predict).",
            )

    def check_file(self, size_bytes: int, path: Path) -> None:
        """Check the size of a file.

        Args:
            size_bytes: size of the file.
            path: path of the file, for the message.

        Raises:
            ImageError: if it is larger than any image within the limits.
        """
        if size_bytes > self.max_file_bytes:
            raise ImageError(
                "image is too large",
                f"{path}: the file has {size_bytes / 1e6:.0f} MB; expected at most {self.max_file_bytes / 1e6:.0f} MB, enough "
                f"for {self.max_megapixels:g} megapixels (option max_megapixels of image_limits).",
            )
