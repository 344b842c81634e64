"""How large a picture may be before it is decoded: a small file may declare a picture that fills the memory."""

from pathlib import Path

from pydantic import Field

from posescope.images.headers import ImageError
from posescope.plugins import Options

__all__ = ["ImageLimits"]

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
