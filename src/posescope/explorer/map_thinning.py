"""Choose the persons that a map shows when all of them would make it slow.

The map is divided into cells. Persons of one cell and one colour are alike on the map, so few of them are enough:

    1. the selected persons, and colours with few persons
    2. one person of each cell and colour
    3. of the rest a random sample, which keeps dense places dense
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_SHOWN", "thin_map"]

MAX_SHOWN = 10_000  # docs/decisions/0042-map-library.md
_CELLS = 64  # per side
_RARE_FRACTION = 0.25  # of the limit, for colours with few persons


def thin_map(
    places: NDArray[np.floating], colours: NDArray[np.integer], keep: NDArray[np.bool_], limit: int = MAX_SHOWN, seed: int = 0
) -> NDArray[np.int64]:
    """Return the rows that are shown, ascending.

    Args:
        places: (N, 2) places on the map.
        colours: (N,) number of the colour of each person.
        keep: (N,) persons that are shown if possible, such as the selection. If they are more than half of the limit, they are
            thinned as well.
        limit: maximum number of shown persons.
        seed: seed of the sample; the same persons are shown for the same input.

    Returns:
        (n,) rows with n = min(N, limit). All rows if N is at most the limit.

    Example:
        >>> import numpy as np
        >>> places = np.zeros((5, 2))
        >>> thin_map(places, np.array([0, 0, 0, 0, 1]), np.array([0, 1, 0, 0, 0], dtype=bool), limit=2).tolist()
        [1, 4]
    """
    count = len(places)
    if count <= limit:
        return np.arange(count, dtype=np.int64)
    first = np.zeros(count, dtype=np.bool_)
    kept = np.flatnonzero(keep)
    if len(kept) > limit // 2:
        kept = kept[thin_map(places[kept], colours[kept], np.zeros(len(kept), dtype=np.bool_), limit // 2, seed)]
    first[kept] = True
    first |= _has_rare_colour(colours, int(limit * _RARE_FRACTION))
    order = np.random.default_rng(seed).permutation(count)
    strata = _cells_of(places) * (int(colours.max()) - int(colours.min()) + 1) + (colours - colours.min())
    leads = np.zeros(count, dtype=np.bool_)
    leads[order[np.unique(strata[order], return_index=True)[1]]] = True
    leads &= ~np.isin(strata, strata[first])  # these cells and colours are shown already
    rank = np.where(first, 0, np.where(leads, 1, 2))
    chosen = order[np.argsort(rank[order], kind="stable")[:limit]]
    return np.sort(chosen).astype(np.int64)


def _has_rare_colour(colours: NDArray[np.integer], budget: int) -> NDArray[np.bool_]:
    """Return the persons of the rarest colours that together have at most `budget` persons."""
    values, codes, counts = np.unique(colours, return_inverse=True, return_counts=True)
    ascending = np.argsort(counts, kind="stable")
    is_rare = np.zeros(len(values), dtype=np.bool_)
    is_rare[ascending] = np.cumsum(counts[ascending]) <= budget
    return np.asarray(is_rare[codes])


def _cells_of(places: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the number of the cell of each person; unknown places are in a cell of their own."""
    known = np.isfinite(places).all(axis=1)
    cells = np.full(len(places), _CELLS**2, dtype=np.int64)
    if known.any():
        low, high = places[known].min(axis=0), places[known].max(axis=0)
        steps = (places[known] - low) / np.maximum(high - low, np.finfo(np.float64).tiny) * _CELLS
        columns = np.minimum(steps.astype(np.int64), _CELLS - 1)
        cells[known] = columns[:, 0] * _CELLS + columns[:, 1]
    return cells
