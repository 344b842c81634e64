"""Pictures: RGB arrays as PNG files, shown by Kedro-Viz."""

import base64
import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io
from kedro.io import AbstractDataset
from kedro_datasets._typing import ImagePreview, PlotlyPreview
from numpy.typing import NDArray

from posescope.core.files import atomic_write
from posescope.drawing.rgb_images import PngImage, read_png, read_png_text, write_png

__all__ = ["ImageDataset", "PlotDataset"]


class ImageDataset(AbstractDataset[PngImage | NDArray[np.uint8], PngImage]):
    """A `PngImage`, or an (H, W, 3) uint8 RGB array that says nothing of itself, as PNG; loaded as a `PngImage`.

    Example:
    ```yaml
    crop_sheet:
      type: posescope.datasets.PictureDataset
      filepath: data/08_reporting/crop_grid.png
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Args: filepath: the PNG file; metadata: for Kedro-Viz."""
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def load(self) -> PngImage:
        """The picture as RGB, with its text."""
        path = Path(self._filepath)
        return PngImage(read_png(path), read_png_text(path))

    def save(self, data: PngImage | NDArray[np.uint8]) -> None:
        """Write the picture, atomically."""
        picture = data if isinstance(data, PngImage) else PngImage(data)
        write_png(Path(self._filepath), picture.image, picture.text)

    def preview(self) -> ImagePreview:
        """For Kedro-Viz: the PNG's bytes in base64."""
        return ImagePreview(base64.b64encode(Path(self._filepath).read_bytes()).decode())

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class PlotDataset(AbstractDataset[go.Figure, go.Figure]):
    """A plotly figure; kedro-datasets has one too, but its extra pins an older plotly.

    Example:
    ```yaml
    history_plot:
      type: posescope.datasets.PlotDataset
      filepath: data/08_reporting/history_plot.json
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Args: filepath: the JSON file; metadata: for Kedro-Viz."""
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def load(self) -> go.Figure:
        """The figure."""
        return plotly.io.read_json(str(self._filepath))

    def save(self, data: go.Figure) -> None:
        """Write the figure, atomically."""
        with atomic_write(Path(self._filepath)) as temporary:
            temporary.write_text(plotly.io.to_json(data), encoding="utf-8")

    def preview(self) -> PlotlyPreview:
        """For Kedro-Viz."""
        return PlotlyPreview(json.loads(Path(self._filepath).read_text(encoding="utf-8")))

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
