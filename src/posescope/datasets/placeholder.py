"""What stands in the place of an input that a run does not need."""

from typing import Any

from kedro.io import AbstractDataset, DatasetError

__all__ = ["NoneDataset"]


class NoneDataset(AbstractDataset[Any, None]):
    """Loads as None. A hook puts it there; it is no entry of a catalog's file."""

    def load(self) -> None:
        """None."""

    def save(self, data: Any) -> None:
        """Nothing can be saved here."""
        raise DatasetError(f"An input that the run does not need cannot be written: {type(data).__name__}.")

    def _describe(self) -> dict[str, Any]:
        return {}
