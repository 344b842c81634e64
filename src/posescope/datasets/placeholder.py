"""Placeholder of an input that a run does not need."""

from typing import Any

from kedro.io import AbstractDataset, DatasetError

__all__ = ["NoneDataset"]


class NoneDataset(AbstractDataset[Any, None]):
    """Loads None. A hook puts it into the catalog; catalog files do not use it."""

    def load(self) -> None:
        """Return None."""

    def save(self, data: Any) -> None:
        """Refuse to save."""
        raise DatasetError(f"Expected no data for an input that the run does not need, found {type(data).__name__}.")

    def _describe(self) -> dict[str, Any]:
        return {}
