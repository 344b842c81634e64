"""The persons at both ends of a component: what a component means is checked by looking at them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ComponentEnds", "find_ends"]


@dataclass(frozen=True, eq=False)
class ComponentEnds:
    """Rows of the persons with the lowest and with the highest scores along a component, the farthest first."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]


def find_ends(scores: NDArray[np.floating], groups: NDArray[np.integer], count: int) -> ComponentEnds:
    """Return the persons with the lowest and with the highest scores, one of each photograph.

    Args:
        scores: (N,) scores along the component; NaN: left out.
        groups: (N,) photograph of each person.
        count: maximum number of persons at an end. With few photographs each end has at most half of the persons.

    Example:
        >>> ends = find_ends(np.array([3.0, -1.0, -2.0, 5.0, -3.0]), np.array([0, 1, 2, 3, 2]), count=2)
        >>> ends.low.tolist(), ends.high.tolist()
        ([4], [3, 0])
    """
    known = np.flatnonzero(np.isfinite(scores))
    rising = known[np.argsort(scores[known], kind="stable")]
    half = len(rising) // 2
    return ComponentEnds(_first_of_groups(rising[:half], groups, count), _first_of_groups(rising[half:][::-1], groups, count))


def _first_of_groups(rows: NDArray[np.int64], groups: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Return the first row of each group, in the given order."""
    _, places = np.unique(groups[rows], return_index=True)
    found: NDArray[np.int64] = rows[np.sort(places)[:count]]
    return found
