"""Filters of persons by ranges, labels and a part of the file name."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options, describe_validation_error
from posescope.explorer.person_columns import CategoryColumn, Column, RangeColumn

__all__ = ["PersonFilters", "parse_filters", "passing_persons"]

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Label = Annotated[str, Field(max_length=500)]


class PersonFilters(Options):
    """Conditions; a person passes if all of them hold."""

    ranges: dict[str, tuple[_Number, _Number]] = Field(
        default_factory=dict, description="lowest and highest value by column; at its limits a filter lets unknown values pass"
    )
    labels: dict[str, tuple[_Label, ...]] = Field(
        default_factory=dict, description="labels by column, of which a person has at least one; no label: all persons"
    )
    file_name: str = Field("", max_length=500, description="part of the file name, in any case; empty: all files")


def parse_filters(
    columns: Sequence[str], values: Sequence[object], file_name: object, known: Mapping[str, Column]
) -> PersonFilters:
    """Return the filters of the values that a page sends.

    Args:
        columns: (n,) names of the columns with a filter.
        values: (n,) two numbers for a range, labels for a category; None: no filter.
        file_name: part of the file name; None: all files.
        known: the columns.

    Raises:
        OptionsError: if a column is unknown or a value is malformed.
    """
    ranges: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    for name, value in zip(columns, values, strict=True):
        if name not in known:
            raise OptionsError(f"Filter: expected one of {', '.join(known)}, found {name!r}.")
        if value is not None:
            (ranges if isinstance(known[name], RangeColumn) else labels)[name] = value
    try:
        return PersonFilters.model_validate({"ranges": ranges, "labels": labels, "file_name": file_name or ""})
    except ValidationError as error:
        raise OptionsError(f"Filter: {'; '.join(describe_validation_error(error))}.") from error


def passing_persons(filters: PersonFilters, columns: Mapping[str, Column], file_names: "pd.Series[str]") -> NDArray[np.bool_]:
    """Return which persons pass.

    Args:
        filters: the conditions.
        columns: the columns by name.
        file_names: (N,).

    Returns:
        (N,).
    """
    passing = np.ones(len(file_names), dtype=np.bool_)
    for name, (low, high) in filters.ranges.items():
        column = columns[name]
        if isinstance(column, RangeColumn):
            passing &= _in_range(column, low, high)
    for name, labels in filters.labels.items():
        column = columns[name]
        if isinstance(column, CategoryColumn) and labels:
            passing &= column.members[:, [label in labels for label in column.labels]].any(axis=1)
    if filters.file_name:
        passing &= file_names.str.contains(filters.file_name, case=False, regex=False).to_numpy(dtype=np.bool_)
    return passing


def _in_range(column: RangeColumn, low: float, high: float) -> NDArray[np.bool_]:
    """Return which values are in a closed range. Its ends are rounded on the page, so the limits are open."""
    lowest, highest = column.limits
    tolerance = 1e-3 * (highest - lowest)
    above: NDArray[np.bool_] = column.values >= low if low > lowest + tolerance else ~(column.values < lowest)
    below: NDArray[np.bool_] = column.values <= high if high < highest - tolerance else ~(column.values > highest)
    return above & below
