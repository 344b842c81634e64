"""Tables as CSV and Parquet files, and JSON content: kedro-datasets with safe cells, any folder names and quiet previews."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets._typing import JSONPreview, TablePreview
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset, ParquetDataset

from posescope.core.csv_files import escape_cells, quoting_of, unescape_cells
from posescope.datasets.file_dataset import preview_if_saved
from posescope.datasets.model_folders import find_versions

__all__ = ["CsvTableDataset", "JsonDataset", "ParquetTableDataset"]

# Only an empty cell is missing: a joint may be called `NA`.
_LOAD_ARGS = {"keep_default_na": False, "na_values": [""]}
_ITEMS_IN_PREVIEW = 20
# Each column is freed when pandas has it: the two forms of a large table are not in memory at once.
_COLUMN_BY_COLUMN = {"to_pandas_kwargs": {"split_blocks": True, "self_destruct": True}}


class CsvTableDataset(CSVDataset):  # type: ignore[misc]  # kedro-datasets loads it lazily
    """`pandas.CSVDataset` that escapes texts a spreadsheet would run as formulas (`core.csv_files`), and restores them.

    Example:
    ```yaml
    joint_labels:
      type: posescope.datasets.CsvTableDataset
      filepath: data/08_reporting/joint_labels.csv
      save_args: {index: false}
    ```
    """

    _save_args: dict[str, Any]

    def __init__(self, *, load_args: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Create the dataset; the arguments are those of `pandas.CSVDataset`."""
        super().__init__(load_args={**_LOAD_ARGS, **(load_args or {})}, **kwargs)

    def load(self) -> pd.DataFrame:
        """Return the table."""
        return unescape_cells(super().load())

    def save(self, data: pd.DataFrame) -> None:
        """Write the table."""
        self._save_args = {**self._save_args, "quoting": quoting_of(data)}
        super().save(escape_cells(data))

    @preview_if_saved
    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for Kedro-Viz."""
        return super().preview(nrows)


class ParquetTableDataset(ParquetDataset):  # type: ignore[misc]
    """`pandas.ParquetDataset` whose versions are found below folders of any name.

    The base class looks for versions by a glob pattern, which finds none below a folder such as `runs [2]`.

    Example:
    ```yaml
    person_scores_val:
      type: posescope.datasets.ParquetTableDataset
      filepath: data/07_model_output/val/person_scores.parquet
      versioned: true
    ```
    """

    def __init__(self, *, load_args: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Create the dataset; the arguments are those of `pandas.ParquetDataset`."""
        super().__init__(load_args={**_COLUMN_BY_COLUMN, **(load_args or {})}, **kwargs)
        self._glob_function = find_versions

    @preview_if_saved
    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for Kedro-Viz."""
        return super().preview(nrows)


class JsonDataset(JSONDataset):  # type: ignore[misc]
    """`json.JSONDataset` with a preview of the first items of a list.

    Example:
    ```yaml
    coco_results_val:
      type: posescope.datasets.JsonDataset
      filepath: data/07_model_output/val/coco_results.json
    ```
    """

    @preview_if_saved
    def preview(self) -> JSONPreview:
        """Return the content, of a list the first 20 items, for Kedro-Viz."""
        content = json.loads(Path(self._get_load_path()).read_text(encoding="utf-8"))
        return JSONPreview(json.dumps(list(islice(content, _ITEMS_IN_PREVIEW)) if isinstance(content, list) else content))
