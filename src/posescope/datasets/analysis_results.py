"""Results of analyses: folders with facts, findings, tables, images and plots."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import plotly.io
from kedro_datasets._typing import JSONPreview

from posescope.core.csv_files import read_csv, write_csv
from posescope.core.errors import DataError
from posescope.core.files import atomic_folder, read_json, write_json
from posescope.datasets.file_dataset import FileDataset, preview_if_saved
from posescope.drawing.rgb_images import read_png, write_png
from posescope.explainability.base import AnalysisResult
from posescope.explainability.findings import Finding

__all__ = ["AnalysisDataset"]

_PLOT = ".plotly.json"

T = TypeVar("T")


class AnalysisDataset(FileDataset[AnalysisResult, AnalysisResult]):
    """One folder per analysis: `result.json` (facts, findings, note, origin), `<table>.csv`, `<image>.png`, `<plot>.plotly.json`.

    Example:
    ```yaml
    "analysis_{name}":
      type: posescope.datasets.AnalysisDataset
      filepath: data/08_reporting/explainability/{name}
    ```
    """

    def load(self) -> AnalysisResult:
        """Return the result; tables, images and plots are sorted by name."""
        folder = self.path
        content = read_json(folder / "result.json")
        return AnalysisResult(
            facts=content["facts"],
            model=content.get("model", ""),  # results of older versions lack it
            data=content.get("data", ""),
            findings=tuple(Finding.from_dict(finding) for finding in content["findings"]),
            note=content["note"],
            captions=content.get("captions", {}),
            photographs=content.get("photographs", "full"),
            tables={path.stem: read_csv(path) for path in sorted(folder.glob("*.csv"))},
            images={path.stem: _read(path, read_png).image for path in sorted(folder.glob("*.png"))},
            plots={path.name.removesuffix(_PLOT): _read(path, plotly.io.read_json) for path in sorted(folder.glob(f"*{_PLOT}"))},
        )

    def save(self, data: AnalysisResult) -> None:
        """Write the whole folder atomically."""
        with atomic_folder(self.path) as folder:
            findings = [asdict(finding) for finding in data.findings]
            content = {"facts": dict(data.facts), "findings": findings, "note": data.note}
            content |= {"captions": dict(data.captions), "model": data.model, "data": data.data}
            content["photographs"] = data.photographs
            write_json(folder / "result.json", content)
            for name, table in data.tables.items():
                write_csv(folder / f"{name}.csv", table)
            for name, image in data.images.items():
                write_png(folder / f"{name}.png", image)
            for name, figure in data.plots.items():
                (folder / f"{name}{_PLOT}").write_text(plotly.io.to_json(figure), encoding="utf-8")

    @preview_if_saved
    def preview(self) -> JSONPreview:
        """Return facts and findings for Kedro-Viz."""
        return JSONPreview((self.path / "result.json").read_text(encoding="utf-8"))

    def _exists(self) -> bool:
        return (self.path / "result.json").is_file()


def _read(path: Path, reader: Callable[[Path], T]) -> T:
    try:
        return reader(path)
    except (DataError, ValueError) as error:
        raise DataError(f"{path}: cannot be read; run the pipeline explainability again.") from error
