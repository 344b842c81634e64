"""Store objects: how nodes that stream work get their folder from the catalog, never from a parameter.

A store is a class made from a folder (`Store(root)`), with `is_finished()`. The folder stands twice in the catalog:

    crops_workspace   role: workspace   input of the node that fills it: always there, may be unfinished
    crops             role: result      output of that node, input of the others: there once it is finished

See docs/decisions/0001-stores.md.
"""

from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj

from posescope.core.errors import DataError

__all__ = ["Store", "StoreDataset"]


class Store(Protocol):
    """What a store class must offer."""

    @property
    def root(self) -> Path:
        """The folder that it owns."""
        ...

    def is_finished(self) -> bool:
        """True once everything that belongs into the folder is there."""
        ...


class StoreDataset(AbstractDataset[Any, Any]):
    """A folder that is owned by a store object.

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
        """Args: store: dotted path of the class; filepath: the folder; role: see the module; metadata: for Kedro-Viz."""
        if role not in ("workspace", "result"):
            raise DatasetError(f"StoreDataset: role: expected 'workspace' or 'result', found '{role}'.")
        self._store_class = load_obj(store)
        self._filepath = PurePosixPath(filepath)
        self._role = role
        self.metadata = metadata

    def load(self) -> Any:
        """The store; where it is a result, only once it is finished."""
        store: Store = self._store_class(Path(self._filepath))
        if self._role == "result" and not store.is_finished():
            raise DataError(f"{self._filepath}: there is no finished {self._store_class.__name__} here yet.")
        return store

    def save(self, data: Any) -> None:
        """See that the node gives back the store of this folder, finished. Its content is on disk already."""
        if not isinstance(data, self._store_class) or Path(data.root) != Path(self._filepath):
            raise DatasetError(f"Expected the {self._store_class.__name__} of {self._filepath}, found {data!r}.")
        if not data.is_finished():
            raise DatasetError(f"The {self._store_class.__name__} of {self._filepath} was given back unfinished.")

    def _exists(self) -> bool:
        return self._role == "workspace" or bool(self._store_class(Path(self._filepath)).is_finished())

    def _describe(self) -> dict[str, Any]:
        return {"store": self._store_class.__name__, "filepath": str(self._filepath), "role": self._role}
