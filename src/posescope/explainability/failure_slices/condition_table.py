"""All single conditions on the columns of a set of persons, with the persons that each covers: what every search reads.

Nothing here depends on the PCK, so that searches on permuted PCK share it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.failure_slices.rules import Columns, Comparison, Condition

__all__ = ["ConditionTable", "list_conditions", "make_condition_table"]

_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)  # quantiles of the thresholds, from either end
_MAX_DISTINCT = 12  # a column with at most so many values has a threshold between each two of them


@dataclass(frozen=True, eq=False)
class ConditionTable:
    """Q conditions on N persons.

    Attributes:
        columns: the columns of these persons.
        groups: (N,) photograph of each person, numbered from 0.
        conditions: the Q conditions.
        features: (Q,) name of the feature of each condition.
        keys: (Q,) number of the feature and comparison of each condition.
        masks: (Q, N) float32, 1 where a person fulfils the condition.
        counts: (Q, Q) float32, persons who fulfil both conditions.
    """

    columns: Columns
    groups: NDArray[np.int64]
    conditions: tuple[Condition, ...]
    features: NDArray[np.str_]
    keys: NDArray[np.int64]
    masks: NDArray[np.float32]
    counts: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.conditions)

    def count_photographs(self, inside: NDArray[np.bool_]) -> int:
        """Return the number of photographs of the persons inside (N,)."""
        return int((np.bincount(self.groups[inside]) > 0).sum())


def make_condition_table(columns: Columns, groups: NDArray[np.int64], min_persons: int) -> ConditionTable:
    """List the conditions that at least so many persons fulfil, but not all.

    Args:
        columns: columns of N persons.
        groups: (N,) photograph of each person.
        min_persons: minimum number of persons.
    """
    conditions, masks = [], []
    for name, values in columns.items():
        for condition in list_conditions(name, values):
            mask = condition.covers(values)
            if min_persons <= mask.sum() < len(mask):
                conditions.append(condition)
                masks.append(mask)
    table = np.array(masks, dtype=np.float32).reshape(len(masks), len(groups))
    keys = {key: number for number, key in enumerate(dict.fromkeys(condition.key for condition in conditions))}
    return ConditionTable(
        columns=columns,
        groups=np.unique(groups, return_inverse=True)[1].astype(np.int64),
        conditions=tuple(conditions),
        features=np.array([condition.feature for condition in conditions], dtype=np.str_),
        keys=np.array([keys[condition.key] for condition in conditions], dtype=np.int64),
        masks=table,
        counts=table @ table.T,
    )


def list_conditions(name: str, values: NDArray[np.float64]) -> Iterator[Condition]:
    """Yield the conditions on one column: thresholds midway between two values, near quantiles, and "unknown".

    Args:
        name: name of the column.
        values: (N,) NaN where unknown.

    Example:
        >>> [condition.threshold for condition in list_conditions("size", np.array([1.0, 2.0, 4.0]))]
        [1.5, 3.0, 1.5, 3.0]
    """
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    between = (distinct[1:] + distinct[:-1]) / 2
    ends: tuple[tuple[Comparison, NDArray[np.float64]], ...] = (
        ("below", np.array(_LEVELS)),
        ("above", 1 - np.array(_LEVELS)),
    )
    for comparison, levels in ends:
        thresholds = between
        if len(distinct) > _MAX_DISTINCT:
            at = np.searchsorted(distinct, np.quantile(known, levels)).clip(0, len(between) - 1)
            thresholds = between[np.unique(at)]
        yield from (Condition(name, comparison, float(threshold)) for threshold in thresholds)
    if len(known) < len(values):
        yield Condition(name, "unknown", float("nan"))
