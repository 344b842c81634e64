"""What an image file says of itself: kind, size and orientation, read from its first bytes without decoding a pixel.

Only the kinds below are decoded. Another kind is refused, because nothing would bound its memory. A file whose pixels would be
decoded to wrong brightness or colours is refused here, too, with the reason.

    JPEG, PNG (APNG), GIF, WebP, BMP, TIFF (BigTIFF), PBM/PGM/PPM

Follows: ISO/IEC 15948 (PNG), GIF89a, RFC 9649 (WebP), Windows BITMAPINFOHEADER, TIFF 6.0, Netpbm.
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

__all__ = ["ImageError", "ImageHeader", "MissingImageError", "find_png_chunk", "read_header", "ImageLimits"]

_JPEG, _PNG, _GIF = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF8"
_PNM = re.compile(rb"P([1-6])" + rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})" * 2)
_PNM_BRIGHTEST = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,5})\s")
_BITMAP_OF_BITS = frozenset({b"1", b"4"})
_BRIGHTEST = {b"255": 8, b"65535": 16}
_BIT_FIELDS = 3
_BGRX_MASKS = bytes.fromhex("0000ff00 00ff0000 ff000000")
_KNOWN_BUT_NOT_READ = (
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
    """An image file is missing, damaged, no image, too large, or of another size than the annotations say.

    Attributes:
        kind: the same in a few words, without the file's name. The table of issues is grouped by it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class MissingImageError(ImageError):
    """There is no file at an image's path."""


@dataclass(frozen=True)
class ImageHeader:
    """What a file declares.

    Attributes:
        kind: JPEG, PNG, GIF, WebP, BMP, TIFF or PNM.
        stored_size: (height, width) px of the picture as it is stored.
        largest_part: (height, width) px of the largest thing that a decoder makes room for: the picture, or a tile of it.
        orientation: EXIF's, 1..8; 1 is upright.
        bits: of a sample, 1..16; 8 where it makes no difference.
        colours: colour space of a JPEG file (`CMYK`, `YCCK`, `YCbCr`, ...), else empty.
        premultiplied: true if the file is decoded to colours that are multiplied by the opacity (TIFF).
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
        """(height, width) px of the picture turned upright."""
        height, width = self.stored_size
        return (width, height) if self.orientation in SIDEWAYS else (height, width)


class _NoHeaderError(Exception):
    """The file ends in its header, or the header makes no sense."""


def read_header(raw: bytes, path: Path) -> ImageHeader:
    """Read what an encoded image declares. The content decides, not the name.

    Args:
        raw: the file's bytes.
        path: of the file, for messages.

    Raises:
        ImageError: if it is no image, of a kind that is not read, or its pixels would come out wrong.
    """
    reader = _find_reader(raw)
    if reader is None:
        kind = next((name for start, name in _KNOWN_BUT_NOT_READ if start.match(raw)), None)
        reason = "" if kind is None else f" ({kind} is not supported; save it as PNG or JPEG)"
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image{reason}.")
    try:
        header = reader(raw)
    except (_NoHeaderError, TiffError) as error:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error}).") from error
    if min(header.stored_size) < 1:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image (it declares a side of 0 px).")
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
    except (ValueError, KeyError) as error:  # KeyError: no way of subsampling, for want of a frame
        raise _NoHeaderError(str(error)) from error
    return _plain("JPEG", (int(height), int(width)), orientation=exif_orientation(raw), colours=str(colours))


def _read_png(raw: bytes) -> ImageHeader:
    if raw[12:16] != b"IHDR" or len(raw) < 33:
        raise _NoHeaderError("PNG without its first chunk, IHDR")
    _check_png_chunks(raw)
    return _plain("PNG", (_big(raw, 20, 4), _big(raw, 16, 4)), orientation=exif_orientation(raw), bits=raw[24])


def _check_png_chunks(raw: bytes) -> None:
    """No chunk may declare more bytes than the file has: the decoder makes room for all of them before it reads them."""
    size = len(raw)
    for at, length in _png_chunks(raw):
        if at + 8 + length > size:
            raise _NoHeaderError(f"PNG cut short or damaged: a chunk at byte {at} declares {length} bytes, the file has {size}")


def find_png_chunk(raw: bytes, name: bytes) -> bytes | None:
    """Return the content of the first chunk of a name, such as `tRNS`; None if a PNG file has none."""
    for at, length in _png_chunks(raw):
        if raw[at + 4 : at + 8] == name:
            return raw[at + 8 : at + 8 + length]
    return None


def _png_chunks(raw: bytes) -> Iterator[tuple[int, int]]:
    """Where each chunk before the last one, IEND, starts, and how many bytes it declares."""
    at = len(_PNG)
    while at + 8 <= len(raw) and raw[at + 4 : at + 8] != b"IEND":
        length = _big(raw, at, 4)
        yield at, length
        at += length + 12  # with its own length, its name and its checksum


def _read_gif(raw: bytes) -> ImageHeader:
    if len(raw) < 13:
        raise _NoHeaderError("GIF cut short")
    return _plain("GIF", (_little(raw, 8, 2), _little(raw, 6, 2)))


def _read_webp(raw: bytes) -> ImageHeader:
    if len(raw) < 30:
        raise _NoHeaderError("WebP cut short")
    chunk = raw[12:16]
    if chunk == b"VP8X":
        size = (_little(raw, 27, 3) + 1, _little(raw, 24, 3) + 1)
    elif chunk == b"VP8L":
        bits = _little(raw, 21, 4)
        size = ((bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    elif chunk == b"VP8 ":
        size = (_little(raw, 28, 2) & 0x3FFF, _little(raw, 26, 2) & 0x3FFF)
    else:
        raise _NoHeaderError("WebP without its first chunk")
    return _plain("WebP", size, orientation=exif_orientation(raw))


def _read_bmp(raw: bytes) -> ImageHeader:
    if len(raw) < 54:
        raise _NoHeaderError("BMP cut short")
    if _little(raw, 14, 4) == 12:  # the header of OS/2
        return _plain("BMP", (_little(raw, 20, 2), _little(raw, 18, 2)))
    width, height = (int.from_bytes(raw[at : at + 4], "little", signed=True) for at in (18, 22))
    if raw[28] == 32 and _little(raw, 30, 4) == _BIT_FIELDS and raw[54:66] != _BGRX_MASKS:
        raise _NoHeaderError("BMP whose channels are in another order than blue, green, red")
    return _plain("BMP", (abs(height), max(width, 0)))  # a negative height: the rows stand from the top


def _read_pnm(raw: bytes) -> ImageHeader:
    start = _PNM.match(raw)
    if start is None:
        raise _NoHeaderError("PNM without its sizes")
    bits = 1
    if start[1] not in _BITMAP_OF_BITS:
        brightest = _PNM_BRIGHTEST.match(raw, start.end())
        if brightest is None or brightest[1] not in _BRIGHTEST:
            found = "none" if brightest is None else brightest[1].decode()
            raise _NoHeaderError(f"PNM: expected 255 or 65535 as the largest value of a pixel, found {found}")
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


# MERGED from limits: How large a picture may be before it is decoded: a small file may declare a picture that fills the
# memory.

_FILE_SLACK_BYTES = 64 * 2**20
_MOST_BYTES_PER_PX = 8  # four samples of 16 bits, not compressed


class ImageLimits(Options):
    """The largest picture that is decoded. Decoding takes 3 to 20 bytes of memory a pixel."""

    max_megapixels: float = Field(
        100.0, gt=0, le=1000, allow_inf_nan=False, description="pixels of a picture, in millions; larger ones are left out"
    )
    max_side_px: int = Field(32_767, ge=1, le=65_535, description="longer side of a picture, px; longer ones are left out")

    @property
    def max_file_bytes(self) -> int:
        """The largest file that is read: a picture of the largest size without compression, and 64 MiB."""
        return int(self.max_megapixels * 1e6) * _MOST_BYTES_PER_PX + _FILE_SLACK_BYTES

    def check_size(self, size: tuple[int, int], path: Path) -> None:
        """Accept a declared size.

        Args:
            size: (height, width) px.
            path: of the file, for the message.

        Raises:
            ImageError: if a side or the area is too large.
        """
        height, width = size
        if max(size) > self.max_side_px or height * width > self.max_megapixels * 1e6:
            raise ImageError(
                "image is too large",
                f"{path}: the file declares a picture of {height} x {width} px (height x width, {height * width / 1e6:.1f} "
                f"megapixels); at most {self.max_megapixels:g} megapixels and {self.max_side_px} px a side are decoded "
                "(options max_megapixels and max_side_px of image_limits; --max-megapixels of posescope predict).",
            )

    def check_file(self, size_bytes: int, path: Path) -> None:
        """Accept the size of a file.

        Raises:
            ImageError: if it is larger than any picture within the limits.
        """
        if size_bytes > self.max_file_bytes:
            raise ImageError(
                "image is too large",
                f"{path}: the file has {size_bytes / 1e6:.0f} MB; at most {self.max_file_bytes / 1e6:.0f} MB are read, which is "
                f"enough for {self.max_megapixels:g} megapixels (option max_megapixels of image_limits).",
            )
