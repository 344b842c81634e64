"""Origin of a result: fingerprints of the model, the data and the file of results that it was computed from.

Every file of results records its origin: tables in the columns `model`, `data` and `results`, `metrics.json` in fields of the
same names, plots in `layout.meta`, images in text chunks. A file without an origin belongs to no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from posescope.core.errors import DataError

__all__ = ["ORIGIN_COLUMNS", "Origin", "OriginMismatchError", "check_origins", "origin_of_table", "add_origin", "drop_origin"]

ORIGIN_COLUMNS = ("model", "data", "results")


class OriginMismatchError(DataError):
    """Results of different models, data or files of results cannot be combined.

    Attributes:
        names: Names of the results with another origin.
    """

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


@dataclass(frozen=True)
class Origin:
    """Origin of a result. None: the result does not depend on it.

    Attributes:
        model: Fingerprint of the model; '' for another system's results.
        data: Fingerprint of the crops, joints and splits (`CropStatistics.data_fingerprint`).
        results: Fingerprint of another system's file of results; '' for predictions of the model.
    """

    model: str | None = None
    data: str | None = None
    results: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return JSON-like content, without fields that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Origin | None":
        """Return the origin given by the fields of a dict; other keys are ignored. None if it has neither a model nor data."""
        known = {name: str(content[name]) for name in ORIGIN_COLUMNS if isinstance(content.get(name), str)}
        return cls(**known) if {"model", "data"} & known.keys() else None

    def differences(self, other: "Origin") -> tuple[str, ...]:
        """Return one phrase per difference of another origin; fields that are None in either are not compared."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in ORIGIN_COLUMNS)
        return tuple(
            f"of {_describe(name, its)}, not of {_describe(name, own)}"
            for name, own, its in pairs
            if None not in (own, its) and own != its
        )


def _describe(name: str, fingerprint: str) -> str:
    if name == "results":
        return f"another system's results {fingerprint}" if fingerprint else "the model's own predictions"
    return f"{name} {fingerprint}" if fingerprint else f"no {name}"


def add_origin(table: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """Append the columns of an origin to a table.

    Args:
        table: Any table.
        origin: Its fields `model`, `data` and `results`; those that are None get no column.
    """
    return table.assign(**origin.to_dict())


def drop_origin(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without the columns of its origin."""
    return table.drop(columns=[name for name in ORIGIN_COLUMNS if name in table])


def origin_of_table(table: pd.DataFrame) -> Origin | None:
    """Return the origin of a table; None if it has none, or its rows have different ones.

    NaN, as pandas reads an empty cell of a CSV file, is ''.
    """
    found: dict[str, str] = {}
    for name in (name for name in ORIGIN_COLUMNS if name in table):
        values = table[name].astype(object).where(table[name].notna(), "").unique()
        if len(values) != 1:
            return None
        found[name] = str(values[0])
    return Origin.from_dict(found)


def check_origins(expected: Origin | None, found: Mapping[str, Origin | None], pipeline: str) -> None:
    """Check that results have the same model, data and file of results before they are combined.

    Args:
        expected: Origin of the combined result; None: unknown, nothing is checked.
        found: Name of a result -> its origin, None if it has none.
        pipeline: Name of the pipeline that computes all of them, for the message.

    Raises:
        OriginMismatchError: if a result has another origin or none.
    """
    if expected is None:
        return
    reasons = {
        name: "without an origin (model and data)" if origin is None else " and ".join(expected.differences(origin))
        for name, origin in found.items()
    }
    wrong = {name: reason for name, reason in reasons.items() if reason}
    if wrong:
        by_reason = {reason: [name for name, own in wrong.items() if own == reason] for reason in wrong.values()}
        listed = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
        raise OriginMismatchError(
            f"Results of different runs cannot be combined. {listed}. Run the whole pipeline {pipeline}, not a part of it.",
            tuple(wrong),
        )
