"""Store objects: nodes that stream data get the folder they write from the catalog, not from a parameter.

A store is an object of a class that is created from a folder (`Store(root)`) and has `is_finished()`. The catalog has two
entries for the folder (docs/decisions/0001-stores.md):

    crops_workspace   role: workspace   input of the node that fills the folder; always exists, may be unfinished
    crops             role: result      output of that node, input of others; exists once it is finished
"""

from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj

from posescope.core.errors import DataError

__all__ = ["Store", "StoreDataset"]


class Store(Protocol):
    """Interface of a store class."""

    @property
    def root(self) -> Path:
        """Folder of the store."""
        ...

    def is_finished(self) -> bool:
        """Return whether the content of the folder is complete."""
        ...


class StoreDataset(AbstractDataset[Any, Any]):
    """A folder that a store object reads and writes.

    Example:
    ```yaml
    crops:
      type: posescope.datasets.StoreDataset
      store: posescope.data.crops.crop_store.CropStore
      filepath: data/05_model_input/crops
    ```
    """

    def __init__(
        self,
        *,
        store: str,
        filepath: str,
        role: Literal["workspace", "result"] = "result",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Create the dataset.

        Args:
            store: dotted path of the store class.
            filepath: path of the folder.
            role: `workspace` or `result`.
            metadata: read by Kedro-Viz.
        """
        if role not in ("workspace", "result"):
            raise DatasetError(f"{type(self).__name__}: role: expected 'workspace' or 'result', found '{role}'.")
        self._store_class = load_obj(store)
        self._filepath = PurePosixPath(filepath)
        self._role = role
        self.metadata = metadata

    def load(self) -> Any:
        """Return the store; as a result, only if it is finished."""
        store = self._open()
        if self._role == "result" and not store.is_finished():
            raise DataError(f"{self._filepath}: no finished {self._store_class.__name__} here.")
        return store

    def save(self, data: Any) -> None:
        """Check that the node returned the finished store of this folder; its content is on disk already."""
        if not isinstance(data, self._store_class) or Path(data.root) != Path(self._filepath):
            raise DatasetError(f"Expected the {self._store_class.__name__} of {self._filepath}, found {data!r}.")
        if not data.is_finished():
            raise DatasetError(f"The {self._store_class.__name__} of {self._filepath} is not finished.")

    def _exists(self) -> bool:
        return self._role == "workspace" or self._open().is_finished()

    def _open(self) -> Store:
        store: Store = self._store_class(Path(self._filepath))
        return store

    def _describe(self) -> dict[str, Any]:
        return {"store": self._store_class.__name__, "filepath": str(self._filepath), "role": self._role}
