"""Rules that select persons: one or two conditions on columns of numbers, where a missing value (NaN) is a value of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Columns", "Comparison", "Condition", "Rule", "as_columns", "median_rule"]

Comparison = Literal["below", "above", "unknown"]
Columns: TypeAlias = Mapping[str, NDArray[np.float64]]  # (N,) values by feature, NaN where unknown


def as_columns(table: pd.DataFrame) -> Columns:
    """Return the columns of a table of numbers as float64 arrays."""
    return {str(name): table[name].to_numpy(dtype=np.float64) for name in table.columns}


@dataclass(frozen=True, order=True)
class Condition:
    """One condition.

    Attributes:
        feature: name of the column.
        comparison: `below` or `above` the threshold (an unknown value is neither), or `unknown`.
        threshold: in the unit of the column; NaN with `unknown`.
    """

    feature: str
    comparison: Comparison
    threshold: float

    @property
    def key(self) -> tuple[str, str]:
        """Feature and comparison, without the threshold."""
        return self.feature, self.comparison

    def covers(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return (N,) whether each person fulfils the condition.

        Args:
            values: (N,) the column; NaN where unknown.
        """
        if self.comparison == "unknown":
            return np.isnan(values)
        # NaN compares as False.
        return values < self.threshold if self.comparison == "below" else values > self.threshold


@dataclass(frozen=True)
class Rule:
    """A conjunction of conditions.

    Attributes:
        conditions: one or two, each on another feature, sorted by feature.
    """

    conditions: tuple[Condition, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(condition.feature for condition in self.conditions)

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Features and comparisons, without thresholds."""
        return tuple(condition.key for condition in self.conditions)

    def covers(self, columns: Columns) -> NDArray[np.bool_]:
        """Return (N,) whether each person fulfils all conditions.

        Args:
            columns: columns that include those of the rule.
        """
        inside = [condition.covers(columns[condition.feature]) for condition in self.conditions]
        return np.asarray(np.logical_and.reduce(inside), dtype=np.bool_)


def median_rule(rules: Sequence[Rule]) -> Rule:
    """Return the rule with the median of each threshold.

    Args:
        rules: rules of one key.

    Example:
        >>> low, high = (Rule((Condition("size", "below", threshold),)) for threshold in (5.0, 6.0))
        >>> median_rule([low, high]).conditions[0].threshold
        5.5
    """
    first = rules[0]
    thresholds = np.array([[condition.threshold for condition in rule.conditions] for rule in rules])
    return Rule(
        tuple(
            Condition(condition.feature, condition.comparison, float(threshold))
            for condition, threshold in zip(first.conditions, np.median(thresholds, axis=0), strict=True)
        )
    )
