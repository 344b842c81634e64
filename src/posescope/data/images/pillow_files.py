"""Open image files by Pillow without decoding their pixels, and convert Pillow's images to RGB.

The plugin is chosen by the first bytes of the file: `PIL.Image.open` would try every format that it knows. Opening takes little
memory, whatever the file declares. What Pillow would decode wrongly is refused.

Source: ISO/IEC 15948 (PNG), RFC 9649 (WebP), TIFF 6.0.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import TiffImagePlugin as Tiff
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.WebPImagePlugin import WebPImageFile

from posescope.data.images.limits import ImageError
from posescope.data.images.orientation import UPRIGHT

__all__ = [
    "DAMAGED", "check_bit_depth", "composite_on_white", "has_16_bits", "open_file", "orientation_of", "orientation_of_jpeg",
    "rgb_of", "rgb_of_jpeg_cmyk", "stored_size_of",
]  # fmt: skip

# What Pillow raises for damaged files. Its warnings are exceptions if Python is started with `-W error`.
DAMAGED = (OSError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, EOFError, struct.error, zlib.error, Warning)

_ORIENTATION = 0x0112
_STRIP_PX = 4_000_000  # converted at a time: a copy of the whole image would take as much memory as the image
_WHITE = 255
# An image of 12 or 14 bits in 16-bit samples uses a sixteenth or a quarter of the range, and would be decoded to nearly black.
_BRIGHTEST_OF_14_BITS = 64  # of 255, rounded up

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"eXIf"})
_PNG_PIXEL_CHUNKS = frozenset({b"IDAT", b"IEND"})
_GREY_STEPS = {"L;2": 255 // 3, "L;4": 255 // 15}  # from grey of 2 or 4 bits to 0..255

_WHITE_IS_ZERO, _YCBCR, _UNCOMPRESSED, _SEPARATE, _SIGNED = 0, 6, 1, 2, 2
_TEXT_OR_BYTES = frozenset({1, 2, 7})
_MOST_TILE_PX = 16_000_000
_MOST_TIFF_VALUES = 300_000  # more than offset and size of one strip per row and plane


class _FirstFrameGif(GifImageFile):
    """A GIF file of one frame. Pillow allocates at opening what follows the disposal of the frame."""

    disposal_method = property(lambda _: 0, lambda *_: None)


class _StoredTiff(Tiff.TiffImageFile):
    """A TIFF file that is decoded as stored."""

    def load_prepare(self) -> None:
        """Allocate the image here: Pillow would apply a global limit of its own."""
        self.im = Image.new(self.mode, (self.tag_v2[Tiff.IMAGEWIDTH], self.tag_v2[Tiff.IMAGELENGTH])).im
        super().load_prepare()

    def load_end(self) -> None:
        """Leave the image as stored: Pillow would apply the orientation."""


def open_file(raw: bytes, path: Path) -> ImageFile:
    """Open a file of any format but JPEG. Its pixels are not decoded.

    Args:
        raw: the file's bytes.
        path: path of the file, for messages.

    Raises:
        ImageError: if the file is no image or damaged, or its format is not supported.
    """
    open_format = next((found for start, found in _FORMATS if start.match(raw)), None)
    if open_format is None:
        raise ImageError(
            "image cannot be decoded",
            f"{path}: cannot be decoded as an image: expected JPEG, PNG, GIF, WebP, BMP, TIFF or PNM, found a file that starts "
            f"with {raw[:12]!r}. Save it as PNG or JPEG.",
        )
    try:
        return open_format(raw)
    except Image.DecompressionBombError as error:
        raise ImageError("image is too large", f"{path}: the file declares too many pixels ({error}).") from error
    except DAMAGED as error:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error}).") from error


def orientation_of(image: ImageFile) -> int:
    """Return the EXIF orientation, 1..8; 1 if it is absent or invalid."""
    if isinstance(image, Tiff.TiffImageFile):
        found = image.tag_v2.get(_ORIENTATION)
    else:  # Pillow's getexif decodes the pixels of a PNG file, and reads XMP
        exif = Image.Exif()
        try:
            exif.load(image.info.get("exif", b""))
            found = exif.get(_ORIENTATION)
        except DAMAGED:
            found = None
    return found if isinstance(found, int) and 1 <= found <= 8 else UPRIGHT


def orientation_of_jpeg(raw: bytes) -> int:
    """Return the EXIF orientation of a JPEG file, 1..8; 1 if it is absent or invalid."""
    try:
        return orientation_of(JpegImageFile(io.BytesIO(raw)))
    except DAMAGED:
        return UPRIGHT


def stored_size_of(image: ImageFile) -> tuple[int, int]:
    """Return (height, width) px as stored."""
    if isinstance(image, Tiff.TiffImageFile):  # its size is that of the upright image
        return image.tag_v2[Tiff.IMAGELENGTH], image.tag_v2[Tiff.IMAGEWIDTH]
    return image.height, image.width


def has_16_bits(image: ImageFile) -> bool:
    """Return whether the file has more than 8 bits per channel. Call this before the pixels are decoded."""
    if isinstance(image, Tiff.TiffImageFile):
        return bool(max(image.tag_v2.get(Tiff.BITSPERSAMPLE, (1,))) > 8)
    if isinstance(image, PngImageFile):
        return ";16" in str(image.tile[0].args)
    return isinstance(image, PpmImageFile) and (image.mode == "I" or image.tile[0].args == ("RGB", 65_535))


def rgb_of(image: Image.Image) -> NDArray[np.uint8]:
    """Convert an image to RGB: grey and CMYK too, 16 bits by their upper byte, transparent images composited on white.

    Args:
        image: image of any mode; `I` holds 16 bits.

    Returns:
        (H, W, 3) uint8.

    Raises:
        OSError, SyntaxError, ValueError and others of `DAMAGED`: if the pixels cannot be decoded.
    """
    image.load()
    width, height = image.im.size
    step = max(1, _STRIP_PX // max(width, 1))
    if height <= step:
        return _strip_rgb(image)
    rgb = np.empty((height, width, 3), dtype=np.uint8)
    for top in range(0, height, step):
        rgb[top : top + step] = _strip_rgb(image.crop((0, top, width, min(top + step, height))))
    return rgb


def _strip_rgb(strip: Image.Image) -> NDArray[np.uint8]:
    if strip.has_transparency_data:
        rgba = np.asarray(strip.convert("RGBA"))
        return composite_on_white(rgba[..., :3], rgba[..., 3])
    if strip.mode.startswith("I"):
        return np.repeat((np.asarray(strip) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.array(strip.convert("RGB"))


def rgb_of_jpeg_cmyk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert (H, W, 4) uint8 CMYK to (H, W, 3) RGB; JPEG files hold CMYK inverted."""
    size = (pixels.shape[1], pixels.shape[0])
    return rgb_of(Image.frombuffer("CMYK", size, pixels, "raw", "CMYK;I", 0, 1))


def composite_on_white(image: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite an image on white.

    Args:
        image: (H, W, 3) uint8 RGB.
        opacity: (H, W) uint8; 255 keeps the image, 0 gives white.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    weight = opacity[..., None].astype(np.uint16)
    mixed = image * weight + _WHITE * (_WHITE - weight)
    return ((mixed + _WHITE // 2) // _WHITE).astype(np.uint8)


def check_bit_depth(image: NDArray[np.uint8], path: Path) -> None:
    """Check that an image of 16 bits per sample uses them.

    Args:
        image: (H, W, 3) uint8, the upper 8 of 16 bits.
        path: path of the file, for the message.

    Raises:
        ImageError: if at most 14 bits are used, as by 12 or 14 bits stored in 16: the image would be nearly black.
    """
    if image.max() <= _BRIGHTEST_OF_14_BITS:
        raise ImageError(
            "image has too few bits",
            f"{path}: at most 14 of the 16 bits per sample are used, as by 12 or 14 bits stored in 16: the image would be nearly "
            "black. Scale its values to 0..65535, or save it with 8 bits.",
        )


def _open_png(raw: bytes) -> ImageFile:
    image = PngImageFile(_without_metadata(raw))
    rawmode, transparent = str(image.tile[0].args), image.info.get("transparency")
    if rawmode in _GREY_STEPS and transparent is not None:  # Pillow scales the pixels alone
        image.info["transparency"] = transparent * _GREY_STEPS[rawmode]
    if ";16" in rawmode and transparent is not None:
        raise ValueError("PNG of 16 bits with a transparent colour; save it with 8 bits or an alpha channel")
    return image


def _without_metadata(raw: bytes) -> io.BytesIO:
    """Return a PNG file of the chunks that concern its pixels, checksums compared.

    Texts and colour profiles of a small file can expand to 250 MB. Pillow does not compare the checksums of pixels.
    """
    header, pixels, at, name = bytearray(_PNG_SIGNATURE), bytearray(), len(_PNG_SIGNATURE), b""
    while name != b"IEND":
        end, name = at + int.from_bytes(raw[at : at + 4], "big") + 12, raw[at + 4 : at + 8]
        chunk = memoryview(raw)[at:end]
        if end > len(raw) or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise ValueError(f"PNG damaged or truncated in a chunk {name!r} at byte {at}")
        if name in _PNG_HEADER_CHUNKS:
            header += chunk
        elif name in _PNG_PIXEL_CHUNKS:
            pixels += chunk
        at = end
    if raw[12:16] != b"IHDR":
        raise ValueError("PNG that does not start with the chunk IHDR")
    stream = io.BytesIO()
    stream.writelines([header, pixels])
    stream.seek(0)
    return stream


def _open_tiff(raw: bytes) -> ImageFile:
    _check_directory(raw)
    try:
        image = _StoredTiff(io.BytesIO(raw))
        _check_samples(image)
    except SyntaxError as error:
        raise ValueError(f"TIFF: {error}; expected grey, palette, RGB, CMYK or YCbCr, unsigned, of 8 or 16 bits") from error
    return image


def _check_directory(raw: bytes) -> None:
    """Check the number of values in the first directory of a TIFF file: Pillow makes Python objects of them at opening."""
    order = "<" if raw.startswith(b"II") else ">"
    is_big = raw.startswith(b"II+")
    (start,) = struct.unpack_from(order + ("8xQ" if is_big else "4xI"), raw)
    (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), raw, start)
    entry = struct.Struct(order + ("HHQ8x" if is_big else "HHI4x"))
    first = start + (8 if is_big else 2)
    directory = raw[first : first + count * entry.size]
    if len(directory) < count * entry.size:
        raise ValueError("TIFF truncated in its first directory")
    values = sum(
        number
        for tag, kind, number in entry.iter_unpack(directory)
        if kind not in _TEXT_OR_BYTES or tag in (Tiff.STRIPOFFSETS, Tiff.TILEOFFSETS)
    )
    if values > _MOST_TIFF_VALUES:
        raise ValueError(f"TIFF whose first directory declares {values} numbers, expected at most {_MOST_TIFF_VALUES}")


def _check_samples(image: _StoredTiff) -> None:
    """Refuse what Pillow decodes to wrong colours or brightness, in part, or with too much memory."""
    tags, photometric = image.tag_v2, image.tag_v2.get(Tiff.PHOTOMETRIC_INTERPRETATION)
    if photometric is None:
        raise SyntaxError("no photometric interpretation")
    if image.mode in ("I", "F", "LAB") or _SIGNED in tags.get(Tiff.SAMPLEFORMAT, ()):
        raise SyntaxError(f"signed or floating-point numbers or CIE Lab, {max(tags[Tiff.BITSPERSAMPLE])} bits")
    if photometric == _WHITE_IS_ZERO and image.mode.startswith("I"):
        raise SyntaxError("white is zero, 16 bits")
    if int(tags.get(Tiff.TILELENGTH, 1)) * int(tags.get(Tiff.TILEWIDTH, 1)) > max(image.width * image.height, _MOST_TILE_PX):
        raise SyntaxError("a tile is larger than the image")
    if tags.get(Tiff.COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED:
        planes = len(image.getbands()) if tags.get(Tiff.PLANAR_CONFIGURATION) == _SEPARATE else 1
        if photometric == _YCBCR or (planes > 1 and max(tags[Tiff.BITSPERSAMPLE]) > 8):
            raise SyntaxError("uncompressed YCbCr, or 16 bits in separate planes")
        parts = [tile.extents for tile in image.tile if tile.extents is not None]
        if sum((right - left) * (bottom - top) for left, top, right, bottom in parts) < image.width * image.height * planes:
            raise SyntaxError("strips or tiles are missing")


_FORMATS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], ImageFile]], ...] = (
    (re.compile(_PNG_SIGNATURE), _open_png),
    (re.compile(rb"GIF8"), lambda raw: _FirstFrameGif(io.BytesIO(raw))),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), lambda raw: WebPImageFile(io.BytesIO(raw))),
    (re.compile(rb"BM"), lambda raw: BmpImageFile(io.BytesIO(raw))),
    (re.compile(rb"II[*+]\0|MM\0\*"), _open_tiff),
    (re.compile(rb"P[1-6]\s"), lambda raw: PpmImageFile(io.BytesIO(raw))),
)
