"""Plotly figures as JSON, shown interactively by Kedro-Viz."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import plotly.graph_objects as go
import plotly.io
from kedro.io import AbstractDataset
from kedro_datasets._typing import PlotlyPreview

from posescope.files import atomic_write

__all__ = ["PlotDataset"]


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
