"""Read size and orientation of an image file, and check the size against limits, before its pixels are decoded.

    JPEG, PNG (APNG), GIF, WebP, BMP, TIFF (BigTIFF), PBM/PGM/PPM

Other formats are refused, because the memory of their decoders is not bounded here; so are files that would be decoded to wrong
brightness or colours.
"""

from dataclasses import dataclass
from pathlib import Path

import simplejpeg
from PIL.ImageFile import ImageFile

from posescope.data.images.limits import ImageError, ImageLimits
from posescope.data.images.orientation import SIDEWAYS
from posescope.data.images.pillow_files import has_16_bits, open_file, orientation_of, orientation_of_jpeg, stored_size_of

__all__ = ["ImageHeader", "read_header"]

_JPEG = b"\xff\xd8"
_LIMITS = ImageLimits()


@dataclass(frozen=True)
class ImageHeader:
    """The values that the header of an image file declares.

    Attributes:
        stored_size: (height, width) px of the image as stored.
        orientation: EXIF orientation, 1..8; 1 is upright.
        opened: the file opened by Pillow; None for JPEG.
        has_16_bits: whether a sample has more than 8 bits.
    """

    stored_size: tuple[int, int]
    orientation: int
    opened: ImageFile | None = None
    has_16_bits: bool = False

    @property
    def upright_size(self) -> tuple[int, int]:
        """(height, width) px of the upright image."""
        height, width = self.stored_size
        return (width, height) if self.orientation in SIDEWAYS else (height, width)


def read_header(raw: bytes, path: Path, limits: ImageLimits = _LIMITS) -> ImageHeader:
    """Read the header of an encoded image. The content determines the format, not the file name.

    Args:
        raw: the file's bytes.
        path: path of the file, for messages.
        limits: maximum size of an image.

    Raises:
        ImageError: if the file is no image, too large or of an unsupported format, or its colours would be decoded wrongly.
    """
    if raw.startswith(_JPEG):
        header = ImageHeader(_jpeg_size(raw, path), orientation_of_jpeg(raw))
    else:
        opened = open_file(raw, path)
        header = ImageHeader(stored_size_of(opened), orientation_of(opened), opened, has_16_bits(opened))
    limits.check_size(header.stored_size, path)
    return header


def _jpeg_size(raw: bytes, path: Path) -> tuple[int, int]:
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(raw, strict=False)
    except (ValueError, KeyError) as error:  # KeyError: no frame, so no subsampling
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error}).") from error
    return int(height), int(width)
