"""Format numbers, table cells and column headings."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

import pandas as pd

__all__ = ["format_cell", "format_number", "format_option", "split_heading"]

_UNIT_ENDINGS = {"_px": "px", "_s": "s", "_ms": "ms", "_percent": "%", "_mb": "MB", "_gb": "GB"}
_MISSING = "–"


def format_number(value: float, decimals: int) -> str:
    """Return a number with thousands separators; small ones as 4.19 × 10⁻⁵, NaN as a dash.

    Args:
        value: the number.
        decimals: number of decimals.

    Example:
        >>> format_number(1234.5, 1)
        '1,234.5'
    """
    if math.isnan(value):
        return _MISSING
    if value != 0 and abs(value) < 0.5 * 10**-decimals and math.isfinite(value):
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    return f"{value:,.{decimals}f}".replace("-", "−")


def format_cell(value: object, decimals: int) -> str:
    """Return a table cell as text: integers, floats with `decimals`, yes or no, and a dash for missing values.

    Args:
        value: content of the cell.
        decimals: number of decimals of floats.
    """
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT:
        return _MISSING
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}".replace("-", "−")
    if isinstance(value, numbers.Real):
        return format_number(float(value), decimals)
    return str(value)


def format_option(value: Any) -> str:
    """Return an option as text; a component as its name with its options in brackets.

    Example:
        >>> format_option({"name": "mse", "options": {"foreground_weight": 40.0}})
        'mse (foreground_weight 40)'
    """
    if isinstance(value, Mapping) and "name" in value:
        options = ", ".join(f"{name} {format_option(option)}" for name, option in value.get("options", {}).items())
        return f"{value['name']} ({options})" if options else str(value["name"])
    if isinstance(value, list | tuple):
        return ", ".join(map(format_option, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def split_heading(column: str) -> tuple[str, str]:
    """Return the heading and the unit of a column.

    Example:
        >>> split_heading("mean_error_px")
        ('mean error', 'px')
    """
    for ending, unit in sorted(_UNIT_ENDINGS.items(), key=lambda item: -len(item[0])):
        if column.endswith(ending) and len(column) > len(ending):
            return column.removesuffix(ending).replace("_", " "), unit
    return column.replace("_", " "), ""
