"""Choose the persons of a page whose size is limited, and the persons that are like each of them.

shown       at most 10,000 points of the map, with scores and joints: 0.4 kB each
featured    at most N of them with a thumbnail: 4 kB each; they are also the ones that are offered as similar persons
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explorer.map_thinning import MAX_SHOWN, thin_map
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_columns import Column

__all__ = ["ShownPersons", "choose_shown_persons", "find_similar"]

_NUMBERS_AT_ONCE = 4_000_000  # distances in memory: 32 MB


@dataclass(frozen=True, eq=False)
class ShownPersons:
    """Persons of a page.

    Attributes:
        rows: (n,) rows of the run, ascending.
        featured: (n,) which of them are featured.
    """

    rows: NDArray[np.int64]
    featured: NDArray[np.bool_]


def choose_shown_persons(
    opened: OpenedRun, colour: Column, wanted: NDArray[np.int64], featured: int, limit: int = MAX_SHOWN
) -> ShownPersons:
    """Choose failing groups and wanted persons (up to half of the limit), rare values, and a sample of every place (`thin_map`).

    Args:
        opened: the run.
        colour: column whose rare values are kept.
        wanted: (w,) rows that the page refers to.
        featured: maximum number of persons with a thumbnail.
        limit: maximum number of points.
    """
    places = opened.persons[["map_x", "map_y"]].to_numpy(dtype=np.float32)
    keep = np.fromiter((len(own) > 0 for own in opened.persons["slices"]), dtype=np.bool_, count=len(opened))
    keep[wanted] = True
    rows = thin_map(places, colour.bins, keep, limit)
    chosen = thin_map(places[rows], colour.bins[rows], keep[rows], featured)
    return ShownPersons(rows, np.isin(np.arange(len(rows)), chosen))


def find_similar(
    scores: NDArray[np.floating], groups: NDArray[np.integer], offered: NDArray[np.bool_], count: int = 6
) -> NDArray[np.int64]:
    """Return the offered persons nearest to each person in other images; as `similar_persons`, for all persons at once.

    Args:
        scores: (n, P) scores along the first components.
        groups: (n,) image of each person.
        offered: (n,) persons among which is searched.
        count: number of similar persons.

    Returns:
        (n, count) numbers of persons, the nearest first; -1 where there are fewer.

    Example:
        >>> scores = np.array([[0.0], [5.0], [1.0], [2.0]])
        >>> find_similar(scores, np.array([1, 2, 3, 1]), np.array([True, True, False, True]), count=2).tolist()
        [[1, -1], [3, 0], [0, 3], [1, -1]]
    """
    candidates = np.flatnonzero(offered)
    found = np.full((len(scores), count), -1, dtype=np.int64)
    if not scores.shape[1] or not len(candidates):
        return found
    values = scores.astype(np.float64)
    taken = min(count, len(candidates))
    for start in range(0, len(scores), step := max(1, _NUMBERS_AT_ONCE // len(candidates))):
        block = slice(start, start + step)
        distances = _squared_distances(values[block], values[candidates])
        distances[groups[block, None] == groups[candidates]] = np.inf
        distances[np.isnan(distances)] = np.inf
        order = np.argsort(distances, axis=1, kind="stable")[:, :taken]
        known = np.isfinite(np.take_along_axis(distances, order, axis=1))
        found[block, :taken] = np.where(known, candidates[order], -1)
    return found


def _squared_distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (a, b) squared distances, term by term: equal persons have exactly 0."""
    squared = np.zeros((len(first), len(second)))
    for one, other in zip(first.T, second.T, strict=True):
        with np.errstate(invalid="ignore"):  # the difference of infinite scores is NaN
            squared += np.square(one[:, None] - other[None])
    return squared
