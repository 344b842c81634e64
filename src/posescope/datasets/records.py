"""Frozen records as JSON files."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview

from posescope.core.files import read_json, write_json
from posescope.core.plugins import restrict_dotted_paths

__all__ = ["RecordDataset", "ArraysDataset"]


class RecordDataset(AbstractDataset[Any, Any]):
    """A record with `to_dict()` and `from_dict(content)`, kept as JSON.

    Example:
    ```yaml
    skeleton:
      type: posescope.datasets.RecordDataset
      record: posescope.core.skeleton.Skeleton
      filepath: data/03_primary/skeleton.json
    ```
    """

    def __init__(
        self, *, record: str, filepath: str, allow: Collection[str] = (), metadata: dict[str, Any] | None = None
    ) -> None:
        """Create the dataset.

        Args:
            record: dotted path of the record's class.
            filepath: the JSON file.
            allow: dotted paths of components that the file may name; a run adds those that its parameters name.
            metadata: for Kedro-Viz.
        """
        self._record_class = load_obj(record)
        self._filepath = PurePosixPath(filepath)
        self.allow = tuple(allow)
        self.metadata = metadata

    def load(self) -> Any:
        """The record."""
        with restrict_dotted_paths(self.allow):
            return self._record_class.from_dict(read_json(Path(self._filepath)))

    def save(self, data: Any) -> None:
        """Write the record, atomically."""
        if not isinstance(data, self._record_class):
            raise DatasetError(f"{self._filepath}: expected a {self._record_class.__name__}, found {type(data).__name__}.")
        write_json(Path(self._filepath), data.to_dict())

    def preview(self) -> JSONPreview:
        """For Kedro-Viz: the file's content."""
        return JSONPreview(Path(self._filepath).read_text(encoding="utf-8"))

    def _exists(self) -> bool:
        return Path(self._filepath).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"record": self._record_class.__name__, "filepath": str(self._filepath)}


class ArraysDataset(AbstractDataset[Any, Any]):
    """A record with `save(path)` and the class method `load(path)`.

    Example:
    ```yaml
    targets:
      type: posescope.datasets.ArraysDataset
      record: posescope.core.records.PoseTargets
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
