"""A folder of images that somebody wants posed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.crops.decoding import read_image
from posescope.errors import DataError

__all__ = ["ImageFolder"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class ImageFolder:
    """A folder of images (or one image file). Nodes get it from the catalog."""

    root: Path

    def is_finished(self) -> bool:
        """True if there is at least one image."""
        return bool(self._paths())

    def names(self) -> tuple[str, ...]:
        """Names of the images, relative to the folder, in alphabetical order.

        Raises:
            DataError: if there is none.
        """
        paths = self._paths()
        if not paths:
            raise DataError(f"{self.root}: no images here ({', '.join(sorted(SUFFIXES))}). `images` names the folder.")
        return tuple(str(path.relative_to(self._base())) for path in paths)

    def read(self, name: str) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB.

        Raises:
            DataError: if it cannot be decoded.
        """
        return read_image(self._base() / name)

    def _base(self) -> Path:
        return self.root.parent if self.root.is_file() else self.root

    def _paths(self) -> list[Path]:
        if self.root.is_file():
            return [self.root]
        return sorted(path for path in self.root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
