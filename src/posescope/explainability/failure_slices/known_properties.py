"""Whether a property that is known before any network runs explains the low PCK of a slice.

The gap is estimated again among persons with the same value of the property: by a regression of the PCK on the slice, on ten
quantile classes of the property (unknown is a class) and on the property itself within them. A property explains the gap if the
adjusted gap is at most half of it and either its interval contains zero or it is less than a fifth of the gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.explainability.failure_slices.rules import Columns

__all__ = ["SEVERAL", "adjusted_gap", "adjusted_gaps", "find_explanation"]

Floats = NDArray[np.float64]
SEVERAL = "several"  # all properties together
_CLASSES = 10
_HALF, _FIFTH = 0.5, 0.2
_LEAST_OVERLAP = 0.05  # minimum part of the slice's variance that the property leaves
_RIDGE = 1e-6


@dataclass(frozen=True)
class _Design:
    """(N, P) columns of a regression: 1, classes, linear term."""

    columns: Floats

    @classmethod
    def of(cls, values: Floats) -> "_Design":
        known = ~np.isnan(values)
        columns = [np.ones(len(values))]
        if known.any():
            edges = np.unique(np.quantile(values[known], np.linspace(0, 1, _CLASSES + 1)[1:-1]))
            classes = np.where(known, np.searchsorted(edges, values, side="left"), len(edges) + 1)
            columns += [(classes == one).astype(np.float64) for one in np.unique(classes)[1:]]
            spread = values[known].std()
            columns.append(np.where(known, (values - values[known].mean()) / (spread if spread > 0 else 1.0), 0.0))
        return cls(np.stack(columns, axis=1))


def adjusted_gaps(
    properties: Columns, inside: NDArray[np.bool_], pck: Floats, groups: NDArray[np.int64], draws: ImageResamples
) -> dict[str, Interval]:
    """Return the gap of a slice (PCK outside minus inside) among persons with the same value of each property.

    Args:
        properties: known properties of N persons.
        inside: (N,) persons of the slice.
        pck: (N,) without NaN.
        groups: (N,) photograph of each person.
        draws: bootstrap samples of photographs.

    Returns:
        By property; and `SEVERAL`, among persons equal in all of them, if there are two or more. NaN where (nearly) all persons
        with the same property are on one side.
    """
    designs = {str(name): _Design.of(values).columns for name, values in properties.items()}
    if len(designs) > 1:
        designs[SEVERAL] = np.concatenate([np.ones((len(pck), 1)), *(one[:, 1:] for one in designs.values())], axis=1)
    return {name: adjusted_gap(design, inside, pck, groups, draws) for name, design in designs.items()}


def adjusted_gap(
    design: Floats, inside: NDArray[np.bool_], pck: Floats, groups: NDArray[np.int64], draws: ImageResamples
) -> Interval:
    """Return the gap of a slice in a regression with other columns.

    Args:
        design: (N, P) columns, the first of them ones.
        inside, pck, groups, draws: see `adjusted_gaps`.
    """
    outside = 1.0 - inside
    left = outside - design @ np.linalg.lstsq(design, outside, rcond=None)[0]
    if left.var() <= _LEAST_OVERLAP * outside.var():
        return Interval(float("nan"), float("nan"), float("nan"))
    columns = np.concatenate([outside[:, None], design], axis=1)
    # Sums of products per photograph, then per draw: the normal equations of each draw.
    width = columns.shape[1]
    upper = np.triu_indices(width)
    products = np.concatenate([columns[:, upper[0]] * columns[:, upper[1]], columns * pck[:, None]], axis=1)
    places = np.searchsorted(draws.image_ids, groups)
    by_image = np.zeros((len(draws.image_ids), products.shape[1]))
    np.add.at(by_image, places, products)
    counts = np.concatenate([np.ones((1, len(draws.image_ids)), dtype=np.float32), draws.counts])
    sums = counts.astype(np.float64) @ by_image
    normal = np.zeros((len(sums), width, width))
    normal[:, upper[0], upper[1]] = normal[:, upper[1], upper[0]] = sums[:, : len(upper[0])]
    normal += _RIDGE * len(pck) * np.eye(width)
    gaps = np.linalg.solve(normal, sums[:, len(upper[0]) :, None])[:, 0, 0]
    return draws.interval(float(gaps[0]), np.asarray(gaps[1:], dtype=np.float64))


def find_explanation(gap: Interval, adjusted: Mapping[str, Interval]) -> str:
    """Return the property that explains a gap; '' if none does.

    Args:
        gap: the gap of the slice.
        adjusted: adjusted gaps by property.

    Returns:
        The property with the smallest adjusted gap among those that explain; `SEVERAL` only if no single one does.
    """
    explaining = {name: one for name, one in adjusted.items() if _explains(gap, one)}
    single = {name: one for name, one in explaining.items() if name != SEVERAL}
    if single:
        return min(single, key=lambda name: np.nan_to_num(single[name].estimate))
    return SEVERAL if explaining else ""


def _explains(gap: Interval, adjusted: Interval) -> bool:
    if np.isnan(adjusted.estimate):
        return True
    lost_half = adjusted.estimate <= _HALF * gap.estimate
    return bool(lost_half and (adjusted.low <= 0 or adjusted.estimate <= _FIFTH * gap.estimate))
