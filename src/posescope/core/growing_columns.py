"""Arrays of records that arrive in pieces."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

__all__ = ["GrowingColumns"]

_GROWTH = 1.25


class GrowingColumns:
    """Columns of equal length that grow in place: at no time two copies of a large column exist, as concatenation makes them.

    Args:
        **columns: an empty array (0, ...) per column, with its dtype and its further axes.

    Example:
        >>> import numpy as np
        >>> columns = GrowingColumns(number=np.empty(0, dtype=np.int64))
        >>> columns.append({"number": np.array([1, 2])})
        >>> columns.append({"number": np.array([3])})
        >>> columns.finish()["number"].tolist()
        [1, 2, 3]
    """

    def __init__(self, **columns: NDArray[Any]) -> None:
        self._columns = {name: column.copy() for name, column in columns.items()}
        self._count = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    def append(self, piece: Mapping[str, NDArray[Any]]) -> None:
        """Append rows.

        Args:
            piece: (n, ...) values per column.
        """
        end = self._count + len(next(iter(piece.values())))
        for name, column in self._columns.items():
            if end > len(column):
                # Large arrays are moved by the memory map of the process, without a copy.
                column.resize((max(end, int(_GROWTH * len(column))), *column.shape[1:]), refcheck=False)
            column[self._count : end] = piece[name]
        self._count = end

    def finish(self) -> dict[str, NDArray[Any]]:
        """Return the columns, and keep none of them."""
        found, self._columns = self._columns, {}
        for column in found.values():
            column.resize((self._count, *column.shape[1:]), refcheck=False)
        return found
