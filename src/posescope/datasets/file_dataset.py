"""Base class of datasets of one local file, and previews for Kedro-Viz that are empty until the data is saved."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from kedro.io import AbstractDataset

__all__ = ["FileDataset", "preview_if_saved"]

S = TypeVar("S")
L = TypeVar("L")
T = TypeVar("T")
P = ParamSpec("P")


def preview_if_saved(preview: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Decorate a `preview` method: None if the data is not saved yet, which Kedro-Viz shows without a warning."""

    @wraps(preview)
    def preview_or_none(dataset: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return preview(dataset, *args, **kwargs) if dataset.exists() else None

    return preview_or_none


class FileDataset(AbstractDataset[S, L], Generic[S, L]):
    """A dataset of one local file; subclasses load and save it."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset.

        Args:
            filepath: path of the file.
            metadata: read by Kedro-Viz.
        """
        self._filepath = PurePosixPath(filepath)
        self.metadata = metadata

    @property
    def path(self) -> Path:
        """Local path of the file."""
        return Path(self._filepath)

    def _exists(self) -> bool:
        return self.path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
