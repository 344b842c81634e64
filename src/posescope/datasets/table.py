"""Tables of which every run keeps its own."""

from typing import Any

from kedro_datasets.pandas import ParquetDataset

from posescope.datasets.model import find_versions

__all__ = ["VersionedTableDataset"]


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
