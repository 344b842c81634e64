"""Images as PNG files and plotly figures as JSON files, both with previews in Kedro-Viz."""

import base64
import json

import numpy as np
import plotly.graph_objects as go
import plotly.io
from kedro_datasets._typing import ImagePreview, PlotlyPreview
from numpy.typing import NDArray

from posescope.core.files import atomic_write
from posescope.datasets.file_dataset import FileDataset, preview_if_saved
from posescope.drawing.rgb_images import PngImage, read_png, write_png

__all__ = ["ImageDataset", "PlotDataset"]


class ImageDataset(FileDataset[PngImage | NDArray[np.uint8], PngImage]):
    """An image as PNG: saved from a `PngImage` or an (H, W, 3) uint8 RGB array, loaded as a `PngImage`.

    Example:
    ```yaml
    crop_grid:
      type: posescope.datasets.ImageDataset
      filepath: data/08_reporting/crop_grid.png
    ```
    """

    def load(self) -> PngImage:
        """Return the image, RGB, with its text."""
        return read_png(self.path)

    def save(self, data: PngImage | NDArray[np.uint8]) -> None:
        """Write the image atomically."""
        image = data if isinstance(data, PngImage) else PngImage(data)
        write_png(self.path, image.image, image.text)

    @preview_if_saved
    def preview(self) -> ImagePreview:
        """Return the bytes of the file, base64, for Kedro-Viz."""
        return ImagePreview(base64.b64encode(self.path.read_bytes()).decode())


class PlotDataset(FileDataset[go.Figure, go.Figure]):
    """A plotly figure as JSON. The extra of the class in kedro-datasets requires an older plotly.

    Example:
    ```yaml
    history_plot:
      type: posescope.datasets.PlotDataset
      filepath: data/08_reporting/history_plot.json
    ```
    """

    def load(self) -> go.Figure:
        """Return the figure."""
        return plotly.io.read_json(str(self._filepath))

    def save(self, data: go.Figure) -> None:
        """Write the figure atomically."""
        with atomic_write(self.path) as temporary:
            temporary.write_text(plotly.io.to_json(data), encoding="utf-8")

    @preview_if_saved
    def preview(self) -> PlotlyPreview:
        """Return the figure for Kedro-Viz."""
        return PlotlyPreview(json.loads(self.path.read_text(encoding="utf-8")))
