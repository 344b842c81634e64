"""Which model, which data and which file of results a figure, table or picture is of, by fingerprint.

Every file that shows results says it in itself: tables in the columns `model`, `data` and `results`, `metrics.json` in fields
of the same names, plots in `layout.meta`, pictures in text chunks. A file that does not say it belongs to no model.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

__all__ = ["ORIGIN_COLUMNS", "Origin", "origin_of_table", "with_origin", "without_origin"]

ORIGIN_COLUMNS = ("model", "data", "results")


@dataclass(frozen=True)
class Origin:
    """What a result was made from. None: it does not depend on this.

    Attributes:
        model: fingerprint of the model; '' where another system's results were scored.
        data: fingerprint of the crops, joints and splits (`CropStatistics.data_fingerprint`).
        results: fingerprint of the file of another system's results; '' where the model's own predictions were scored.
    """

    model: str | None = None
    data: str | None = None
    results: str | None = None

    def to_dict(self) -> dict[str, str]:
        """As JSON: only what it depends on."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Origin | None":
        """Inverse of `to_dict`; other keys do not count. None where it says neither a model nor data."""
        known = {name: str(content[name]) for name in ORIGIN_COLUMNS if isinstance(content.get(name), str)}
        return cls(**known) if {"model", "data"} & known.keys() else None

    def differences(self, other: "Origin") -> tuple[str, ...]:
        """Return in what another origin differs, a phrase each; only what both say is compared."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in ORIGIN_COLUMNS)
        return tuple(
            f"of {_describe(name, its)}, not of {_describe(name, own)}"
            for name, own, its in pairs
            if None not in (own, its) and own != its
        )


def _describe(name: str, fingerprint: str) -> str:
    if name == "results":
        return f"another system's results {fingerprint}" if fingerprint else "the model's own predictions"
    return f"{name} {fingerprint}" if fingerprint else f"no {name} of ours"


def with_origin(table: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """Return the table with the columns `model`, `data` and `results` at its end, as far as it depends on them."""
    return table.assign(**origin.to_dict())


def without_origin(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without these columns."""
    return table.drop(columns=[name for name in ORIGIN_COLUMNS if name in table])


def origin_of_table(table: pd.DataFrame) -> Origin | None:
    """Return what a table says of its origin; None if it does not say it, or its rows say different things.

    An empty cell of a CSV file, which pandas reads as NaN, is ''.
    """
    found: dict[str, str] = {}
    for name in (name for name in ORIGIN_COLUMNS if name in table):
        values = table[name].astype(object).where(table[name].notna(), "").unique()
        if len(values) != 1:
            return None
        found[name] = str(values[0])
    return Origin.from_dict(found)
