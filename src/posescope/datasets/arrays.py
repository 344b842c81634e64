"""Frozen records of NumPy arrays, which know how to write themselves without pickle."""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj

__all__ = ["ArraysDataset"]


class ArraysDataset(AbstractDataset[Any, Any]):
    """A record with `save(path)` and the class method `load(path)`.

    Example:
    ```yaml
    targets:
      type: posescope.datasets.ArraysDataset
      record: posescope.records.PoseTargets
      filepath: data/05_model_input/targets.npz
    ```
    """

    def __init__(self, *, record: str, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Args: record: dotted path of the record's class; filepath: its file; metadata: for Kedro-Viz."""
        self._record_class = load_obj(record)
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    def load(self) -> Any:
        """The record."""
        return self._record_class.load(Path(self._filepath))

    def save(self, data: Any) -> None:
        """Let the record write itself."""
        if not isinstance(data, self._record_class):
            raise DatasetError(f"{self._filepath}: expected a {self._record_class.__name__}, found {type(data).__name__}.")
        data.save(Path(self._filepath))

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"record": self._record_class.__name__, "filepath": str(self._filepath)}
