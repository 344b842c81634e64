"""Which model, which data and which file of results a figure, table or picture is of, by fingerprint.

Every file that shows results says it in itself: tables in the columns `model`, `data` and `results`, `metrics.json` in fields
of the same names, plots in `layout.meta`, pictures in text chunks. A file that does not say it belongs to no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from posescope.core.errors import DataError

__all__ = [
    "ORIGIN_COLUMNS",
    "Origin",
    "OriginMismatchError",
    "check_origins",
    "origin_of_table",
    "add_origin",
    "drop_origin",
]

ORIGIN_COLUMNS = ("model", "data", "results")


class OriginMismatchError(DataError):
    """Results of different models, data or files of results were about to be combined.

    Attributes:
        names: of the results that do not belong.
    """

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


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


def add_origin(table: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """Return the table with the columns `model`, `data` and `results` at its end, as far as it depends on them."""
    return table.assign(**origin.to_dict())


def drop_origin(table: pd.DataFrame) -> pd.DataFrame:
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


def check_origins(expected: Origin | None, found: Mapping[str, Origin | None], pipeline: str) -> None:
    """Check that results which are combined are of one model, one data set and one file of results.

    Args:
        expected: of the result that is made from them; None: it is not known, and nothing is checked.
        found: by name of the result, what it says of its origin; None where it does not say it.
        pipeline: that makes all of them anew.

    Raises:
        OriginMismatchError: if one of them is of another origin, or does not say it.
    """
    if expected is None:
        return
    reasons = {
        name: "does not say of which model and data" if origin is None else " and ".join(expected.differences(origin))
        for name, origin in found.items()
    }
    wrong = {name: reason for name, reason in reasons.items() if reason}
    if wrong:
        by_reason = {reason: [name for name, own in wrong.items() if own == reason] for reason in wrong.values()}
        told = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
        raise OriginMismatchError(
            f"Results of different runs cannot be combined. {told}. Run the whole pipeline {pipeline}, not a part of it.",
            tuple(wrong),
        )
