"""Errors of image files, and the maximum size of an image."""

from pathlib import Path

from pydantic import Field

from posescope.core.errors import DataError
from posescope.core.plugins import Options

__all__ = ["ImageError", "ImageLimits", "MissingImageError"]

_METADATA_BYTES = 64 * 2**20  # allowed beside the pixels of a file
_MAX_BYTES_PER_PX = 8  # four samples of 16 bits, uncompressed


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
