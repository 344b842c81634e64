"""Attributes as columns without gaps, so that all attributes are compared on the same persons.

An attribute that is known for some persons only becomes two columns of all persons:

    value      the value; where it is unknown the mean of the known values, so an unknown value explains nothing
    unknown    1 where the value is unknown, else 0: legs out of view are an attribute too

The two columns are uncorrelated. An attribute that is known for few persons at one end of a component can therefore not explain
that end by its value, only by being unknown.

Values are clipped at their 0.5 % and 99.5 % quantiles, since lengths in torsos diverge when the torso points at the camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.findings import MIN_IMAGES

__all__ = ["MIN_PERSONS", "AttributeColumn", "clip_outliers", "columns_of", "stack_columns"]

Floats = NDArray[np.float64]

MIN_PERSONS = 20  # persons with a known value, and persons with an unknown one
_CLIPPED_QUANTILE = 0.005


@dataclass(frozen=True)
class AttributeColumn:
    """One column: the values of an attribute, or whether they are unknown.

    Attributes:
        attribute: name of the attribute.
        of_unknown: whether the column states that the value is unknown.
        low, high: limits that values are clipped to.
        mean, deviation: of the column over the persons that it is made from.
    """

    attribute: str
    of_unknown: bool
    low: float
    high: float
    mean: float
    deviation: float

    def read(self, attributes: pd.DataFrame) -> Floats:
        """Return (n,) values in standard deviations from the mean; an unknown value is 0.

        Args:
            attributes: a row per person, with this attribute as a float column; NaN unknown.
        """
        values = attributes[self.attribute].to_numpy(dtype=np.float64)
        known = np.isfinite(values)
        values = (~known).astype(np.float64) if self.of_unknown else np.where(known, values.clip(self.low, self.high), self.mean)
        column: Floats = (values - self.mean) / self.deviation
        return column

    def words(self, *, is_high: bool) -> str:
        """Describe persons with a high or a low value of this column."""
        return attribute_named(self.attribute).words(is_high=is_high, of_unknown=self.of_unknown)


def columns_of(attributes: pd.DataFrame, groups: NDArray[np.int64]) -> tuple[tuple[AttributeColumn, ...], dict[str, str]]:
    """Make the columns of all attributes.

    Args:
        attributes: a row per person, a float column per attribute; NaN unknown.
        groups: (n,) photograph of each person.

    Returns:
        The columns, values before unknown ones; and the reason by name for each attribute whose values have no column.
    """
    left_out = {str(name): why for name in attributes if (why := _why_left_out(attributes[name].to_numpy(np.float64), groups))}
    values = [_value_column(str(name), attributes[name].to_numpy(np.float64)) for name in attributes if name not in left_out]
    unknown = [
        AttributeColumn(str(name), True, 0.0, 1.0, float(missing.mean()), float(missing.std()))
        for name in attributes
        if (missing := ~np.isfinite(attributes[name].to_numpy(np.float64))).any()
        and _are_enough(missing, groups)
        and _are_enough(~missing, groups)
    ]
    return (*values, *unknown), left_out


def stack_columns(columns: Sequence[AttributeColumn], attributes: pd.DataFrame) -> Floats:
    """Return (n, M) the M columns of n persons (`AttributeColumn.read`)."""
    return np.stack([column.read(attributes) for column in columns], axis=1) if columns else np.empty((len(attributes), 0))


def clip_outliers(values: Floats) -> tuple[float, float]:
    """Return the limits that values are clipped to; their range if nothing else varies, as in a rare binary attribute.

    Args:
        values: (n,) values; NaN unknown, at least one known.
    """
    low, high = np.nanquantile(values, [_CLIPPED_QUANTILE, 1 - _CLIPPED_QUANTILE])
    return (float(low), float(high)) if low < high else (float(np.nanmin(values)), float(np.nanmax(values)))


def _value_column(name: str, values: Floats) -> AttributeColumn:
    low, high = clip_outliers(values)
    known = np.isfinite(values)
    clipped = values.clip(low, high)
    mean = float(clipped[known].mean())
    return AttributeColumn(name, False, low, high, mean, float(np.where(known, clipped, mean).std()))


def _are_enough(chosen: NDArray[np.bool_], groups: NDArray[np.int64]) -> bool:
    return bool(chosen.sum() >= MIN_PERSONS) and len(np.unique(groups[chosen])) >= MIN_IMAGES


def _why_left_out(values: Floats, groups: NDArray[np.int64]) -> str:
    known = np.isfinite(values)
    if not _are_enough(known, groups):
        return f"known for {known.sum()} persons in {len(np.unique(groups[known]))} images"
    return "the same for all persons" if np.ptp(values[known]) == 0 else ""
