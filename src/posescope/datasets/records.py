"""Frozen records as JSON files or, for records of arrays, as NumPy archives."""

from collections.abc import Collection
from typing import Any

from kedro.io import DatasetError
from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview

from posescope.core.files import read_json, write_json
from posescope.core.plugins import restrict_dotted_paths
from posescope.datasets.file_dataset import FileDataset, preview_if_saved

__all__ = ["ArraysDataset", "RecordDataset"]


class _ClassDataset(FileDataset[Any, Any]):
    """A file that holds an instance of one class."""

    def __init__(self, *, record: str, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset.

        Args:
            record: dotted path of the class of the record.
            filepath: path of the file.
            metadata: read by Kedro-Viz.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        self._record_class = load_obj(record)

    def _check(self, data: Any) -> None:
        if not isinstance(data, self._record_class):
            raise DatasetError(f"{self._filepath}: expected {self._record_class.__name__}, found {type(data).__name__}.")

    def _describe(self) -> dict[str, Any]:
        return {"record": self._record_class.__name__, "filepath": str(self._filepath)}


class RecordDataset(_ClassDataset):
    """A record with `to_dict()` and `from_dict(content)`, as JSON.

    Example:
    ```yaml
    skeleton:
      type: posescope.datasets.RecordDataset
      record: posescope.core.skeleton.Skeleton
      filepath: data/02_intermediate/skeleton.json
    ```
    """

    def __init__(self, *, allow: Collection[str] = (), **kwargs: Any) -> None:
        """Create the dataset.

        Args:
            allow: dotted paths of components that the file may name; a run adds those of its parameters.
            **kwargs: `record`, `filepath` and `metadata`.
        """
        super().__init__(**kwargs)
        self.allow = tuple(allow)

    def load(self) -> Any:
        """Return the record."""
        with restrict_dotted_paths(self.allow):
            return self._record_class.from_dict(read_json(self.path))

    def save(self, data: Any) -> None:
        """Write the record atomically."""
        self._check(data)
        write_json(self.path, data.to_dict())

    @preview_if_saved
    def preview(self) -> JSONPreview:
        """Return the content of the file for Kedro-Viz."""
        return JSONPreview(self.path.read_text(encoding="utf-8"))


class ArraysDataset(_ClassDataset):
    """A record of NumPy arrays with `save(path)` and the class method `load(path)`.

    Example:
    ```yaml
    targets:
      type: posescope.datasets.ArraysDataset
      record: posescope.core.records.PoseTargets
      filepath: data/05_model_input/targets.npz
    ```
    """

    def load(self) -> Any:
        """Return the record."""
        return self._record_class.load(self.path)

    def save(self, data: Any) -> None:
        """Write the record with its own `save`."""
        self._check(data)
        data.save(self.path)
