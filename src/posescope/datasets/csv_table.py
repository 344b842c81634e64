"""Tables as CSV files that a spreadsheet may open: no text in them is a formula."""

from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from posescope.csv_cells import escape_cells, quoting_of, unescape_cells

__all__ = ["CsvTableDataset"]

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
