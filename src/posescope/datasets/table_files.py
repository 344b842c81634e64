"""Tables as CSV files that a spreadsheet may open: no text in them is a formula."""

from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset, ParquetDataset

from posescope.core.csv_files import escape_cells, quoting_of, unescape_cells
from posescope.datasets.model_folders import find_versions

__all__ = ["CsvTableDataset", "VersionedTableDataset"]

# Only an empty cell is missing: a joint may be called `NA`.
_LOAD_ARGS = {"keep_default_na": False, "na_values": [""]}


class CsvTableDataset(CSVDataset):  # type: ignore[misc]  # kedro-datasets loads it lazily
    """`pandas.CSVDataset` whose texts are escaped on saving (`csv_cells.escape_cells`) and read back as they were.

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
        """Create the dataset; all arguments are those of `pandas.CSVDataset`."""
        super().__init__(load_args={**_LOAD_ARGS, **(load_args or {})}, **kwargs)

    def load(self) -> pd.DataFrame:
        """The table."""
        return unescape_cells(super().load())

    def save(self, data: pd.DataFrame) -> None:
        """Write the table."""
        self._save_args = {**self._save_args, "quoting": quoting_of(data)}
        super().save(escape_cells(data))


class VersionedTableDataset(ParquetDataset):  # type: ignore[misc]
    """A Parquet table with versions, below folders of any name.

    The class that it derives from looks for versions by a pattern. Brackets have a meaning in it, so that it finds none below a
    folder called `runs [2]`.

    Example:
    ```yaml
    person_scores_val:
      type: posescope.datasets.VersionedTableDataset
      filepath: data/07_model_output/val/person_scores.parquet
      versioned: true
    ```
    """

    def __init__(self, **arguments: Any) -> None:
        """Args: as `ParquetDataset` has them."""
        super().__init__(**arguments)
        self._glob_function = find_versions
