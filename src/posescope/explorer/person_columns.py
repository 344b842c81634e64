"""Columns of the explorer table by which persons are coloured and filtered.

range       a number per person, NaN where unknown
category    labels; a person has one, none, or several (failure slices)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explorer.table_metadata import ExplorerAbout

__all__ = ["CategoryColumn", "Column", "RangeColumn", "columns_of"]

_BINS = 24
_MAX_LABELS = 50
_WORDS = {"split": "Split", "role": "Used in the explanation", "source_split": "Annotation file"}
_ROLES = {"fitted": "to fit the components", "judged": "to test the findings"}
_SCORES = {"pck_thesis": "PCK (thesis)", "oks": "OKS"}


@dataclass(frozen=True, eq=False)
class RangeColumn:
    """Numbers.

    Attributes:
        name: column of the table.
        title: name as the page shows it.
        unit: unit; empty: none.
        values: (N,) float64, NaN where unknown.
    """

    name: str
    title: str
    unit: str
    values: NDArray[np.float64]

    @cached_property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest value; (0, 1) if no value is known."""
        known = self.values[np.isfinite(self.values)]
        return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """(N,) bin of each person, of 24 equally wide ones; -1 where unknown."""
        low, high = self.limits
        position = (self.values - low) / max(high - low, np.finfo(np.float64).tiny) * _BINS
        known = np.isfinite(position)
        return np.where(known, np.clip(np.where(known, position, 0).astype(np.int64), 0, _BINS - 1), -1)

    def count(self, shown: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the (24,) numbers of persons in each bin.

        Args:
            shown: (N,) persons that are counted.
        """
        return np.bincount(self.bins[shown & (self.bins >= 0)], minlength=_BINS)


@dataclass(frozen=True, eq=False)
class CategoryColumn:
    """Labels.

    Attributes:
        name: column of the table.
        title: name as the page shows it.
        labels: the L labels, in the order of the page.
        names: their words.
        members: (N, L) whether a person has a label.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    names: tuple[str, ...]
    members: NDArray[np.bool_]

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """(N,) number of the first label of each person; -1 without one."""
        if not self.labels:
            return np.full(len(self.members), -1, dtype=np.int64)
        return np.where(self.members.any(axis=1), self.members.argmax(axis=1), -1).astype(np.int64)

    def count(self, shown: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the (L,) numbers of persons with each label.

        Args:
            shown: (N,) persons that are counted.
        """
        return np.asarray(self.members[shown].sum(axis=0, dtype=np.int64))


Column = RangeColumn | CategoryColumn


def columns_of(persons: pd.DataFrame, about: ExplorerAbout) -> dict[str, Column]:
    """Return the columns by name, the most useful ones first; columns without any value are left out.

    Args:
        persons: an explorer table.
        about: its metadata.
    """
    found: list[Column] = [
        *_numbers(persons, {"error": ("Error", "% of the crop"), "radius": ("Radius of uncertainty", "% of the crop")}),
        _clusters(persons, about),
        _slices(persons, about),
        *(_texts(persons, name, title) for name, title in _WORDS.items() if name in persons),
        *_numbers(persons, {name: (_SCORES.get(name, name.replace("_", " ")), "") for name in about.scores}),
        *_numbers(persons, {f"component_{one.number}": (one.title, "") for one in about.components}),
        *_numbers(persons, {f"attribute_{name}": (one.title, one.unit) for name, one in about.attributes.items()}),
    ]
    return {column.name: column for column in found if _is_useful(column)}


def _is_useful(column: Column) -> bool:
    if isinstance(column, RangeColumn):
        return bool(np.isfinite(column.values).any())
    return 0 < len(column.labels) <= _MAX_LABELS


def _numbers(persons: pd.DataFrame, titles: Mapping[str, tuple[str, str]]) -> list[Column]:
    return [
        RangeColumn(name, title, unit, persons[name].to_numpy(dtype=np.float64, na_value=np.nan))
        for name, (title, unit) in titles.items()
        if name in persons
    ]


def _clusters(persons: pd.DataFrame, about: ExplorerAbout) -> CategoryColumn:
    numbers = persons["cluster"].to_numpy(dtype=np.float64, na_value=np.nan)
    members = np.stack([numbers == one.number for one in about.clusters], axis=1) if about.clusters else _none(persons)
    labels = tuple(str(one.number) for one in about.clusters)
    names = tuple(one.name or f"Cluster {one.number}" for one in about.clusters)
    return CategoryColumn("cluster", "Cluster", labels, names, members)


def _slices(persons: pd.DataFrame, about: ExplorerAbout) -> CategoryColumn:
    labels = tuple(one.id for one in about.slices)
    members = _none(persons, len(labels))
    index_of = {label: number for number, label in enumerate(labels)}
    for row, own in enumerate(persons["slices"]):
        for label in own:
            if label in index_of:
                members[row, index_of[label]] = True
    return CategoryColumn("slices", "Failing group", labels, tuple(one.name for one in about.slices), members)


def _texts(persons: pd.DataFrame, name: str, title: str) -> CategoryColumn:
    values = persons[name].astype(str).to_numpy(dtype=object)
    labels = tuple(sorted(set(values)))
    members = np.stack([values == label for label in labels], axis=1) if labels else _none(persons)
    words = tuple(_ROLES.get(label, label) for label in labels) if name == "role" else labels
    return CategoryColumn(name, title, labels, words, members)


def _none(persons: pd.DataFrame, count: int = 0) -> NDArray[np.bool_]:
    return np.zeros((len(persons), count), dtype=np.bool_)
