"""CSV files that are safe to open in a spreadsheet: text such as a joint or image name is never read as a formula."""

import csv
import re
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from posescope.core.text_escaping import escape_formula

__all__ = ["escape_cells", "quoting_of", "read_csv", "unescape_cells", "write_csv"]

_ESCAPED = re.compile(r"^'('*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


def escape_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which a quote precedes each text and heading that a spreadsheet would read as a formula.

    Numbers stay numbers, also negative ones.
    """
    return _replace(table, escape_formula)


def unescape_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Revert `escape_cells`."""
    return _replace(table, lambda text: _ESCAPED.sub(r"\1", text))


def quoting_of(table: pd.DataFrame) -> Literal[0, 2]:
    """Return the quoting that a table needs, `csv.QUOTE_MINIMAL` or `csv.QUOTE_NONNUMERIC`.

    A lone carriage return ends a row for readers, but the writer does not quote it.
    """
    columns = [table.iloc[:, place] for place, kind in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    values = chain(table.columns, *columns)
    return csv.QUOTE_NONNUMERIC if any(isinstance(value, str) and "\r" in value for value in values) else csv.QUOTE_MINIMAL


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index, with its text escaped (`escape_cells`).

    Args:
        path: The file.
        table: Any table.
    """
    escape_cells(table).to_csv(path, index=False, quoting=quoting_of(table))


def read_csv(path: Path) -> pd.DataFrame:
    """Read a file of `write_csv`. Only an empty cell is a missing value: a joint may be called `NA`."""
    return unescape_cells(pd.read_csv(path, keep_default_na=False, na_values=[""]))


def _replace(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    def replace(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    replaced = table.copy()
    for place, kind in enumerate(table.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            column: Any = table.iloc[:, place].map(replace)
            replaced.isetitem(place, column)
    replaced.columns = pd.Index([replace(name) for name in table.columns])
    return replaced
