"""Pictures: RGB arrays as PNG files, shown by Kedro-Viz."""

import base64
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview
from numpy.typing import NDArray

from posescope.drawing.png import Picture, read_png, read_png_text, write_png

__all__ = ["PictureDataset"]


class PictureDataset(AbstractDataset[Picture | NDArray[np.uint8], Picture]):
    """A `Picture`, or an (H, W, 3) uint8 RGB array that says nothing of itself, as PNG; loaded as a `Picture`.

    Example:
    ```yaml
    crop_sheet:
      type: posescope.datasets.PictureDataset
      filepath: data/08_reporting/crop_sheet.png
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Args: filepath: the PNG file; metadata: for Kedro-Viz."""
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def load(self) -> Picture:
        """The picture as RGB, with its text."""
        path = Path(self._filepath)
        return Picture(read_png(path), read_png_text(path))

    def save(self, data: Picture | NDArray[np.uint8]) -> None:
        """Write the picture, atomically."""
        picture = data if isinstance(data, Picture) else Picture(data)
        write_png(Path(self._filepath), picture.image, picture.text)

    def preview(self) -> ImagePreview:
        """For Kedro-Viz: the PNG's bytes in base64."""
        return ImagePreview(base64.b64encode(Path(self._filepath).read_bytes()).decode())

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
