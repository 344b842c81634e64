"""Results of analyses: a folder with what was found, tables, pictures and figures."""

from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io
from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from posescope.core.csv_files import read_csv, write_csv
from posescope.core.errors import DataError
from posescope.core.files import atomic_folder, read_json, write_json
from posescope.drawing.rgb_images import read_png, write_png
from posescope.explainability.base import AnalysisResult
from posescope.explainability.findings import Finding

__all__ = ["AnalysisDataset"]

_FIGURE = ".plotly.json"


class AnalysisDataset(AbstractDataset[AnalysisResult, AnalysisResult]):
    """One folder an analysis.

    `result.json` (facts, findings, note, model), `<table>.csv`, `<picture>.png`, `<figure>.plotly.json`.

    Example:
    ```yaml
    "analysis_{name}":
      type: posescope.datasets.AnalysisDataset
      filepath: data/08_reporting/explainability/{name}
    ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Args: filepath: the folder; metadata: for Kedro-Viz."""
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def load(self) -> AnalysisResult:
        """The result, tables and pictures in the order of their names."""
        folder = Path(self._filepath)
        content = read_json(folder / "result.json")
        return AnalysisResult(
            facts=content["facts"],
            model=content.get("model", ""),  # of those who were written before it was noted
            data=content.get("data", ""),
            findings=tuple(Finding.from_dict(finding) for finding in content["findings"]),
            note=content["note"],
            tables={path.stem: read_csv(path) for path in sorted(folder.glob("*.csv"))},
            images={path.stem: _read_picture(path) for path in sorted(folder.glob("*.png"))},
            plots={path.name.removesuffix(_FIGURE): _read_figure(path) for path in sorted(folder.glob(f"*{_FIGURE}"))},
        )

    def save(self, data: AnalysisResult) -> None:
        """Write the whole folder, or nothing."""
        with atomic_folder(Path(self._filepath)) as folder:
            findings = [asdict(finding) for finding in data.findings]
            content = {"facts": dict(data.facts), "findings": findings, "note": data.note}
            content |= {"model": data.model, "data": data.data}
            write_json(folder / "result.json", content)
            for name, table in data.tables.items():
                write_csv(folder / f"{name}.csv", table)
            for name, picture in data.images.items():
                write_png(folder / f"{name}.png", picture)
            for name, figure in data.plots.items():
                (folder / f"{name}{_FIGURE}").write_text(plotly.io.to_json(figure), encoding="utf-8")

    def preview(self) -> JSONPreview:
        """For Kedro-Viz: what was found."""
        return JSONPreview((Path(self._filepath) / "result.json").read_text(encoding="utf-8"))

    def _exists(self) -> bool:
        return (Path(self._filepath) / "result.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _read_picture(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    try:
        return read_png(path)
    except DataError as error:
        raise DataError(f"{path}: this picture cannot be read; run the pipeline explainability again.") from error


def _read_figure(path: Path) -> go.Figure:
    try:
        return plotly.io.from_json(path.read_text(encoding="utf-8"), output_type="Figure")
    except ValueError as error:
        raise DataError(f"{path}: this figure cannot be read; run the pipeline explainability again.") from error
