r"""Tests of a statistic by number of clusters against null data, corrected over the numbers of clusters.

    z(k) = (statistic(k) - mean of the null data at k) / their standard deviation at k       smallest over the kinds of null data
    null distribution: the largest z over all k of each draw of null data, standardised by the other draws

The largest value over all numbers of clusters corrects for looking at all of them (max statistic; Westfall and Young, 1993). Few
draws have no 1 % quantile, so a Gumbel distribution, the limit of maxima, is fitted to them by its moments. The benchmark
`explain_truth.py` counts how often data without clusters exceed it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gumbel_r

__all__ = ["LEAST_DRAWS", "adjusted_p_values", "p_of_largest"]

LEAST_DRAWS = 3  # per kind, for a standard deviation that all kinds share
_LEAST_SPREAD = 1e-3  # of a statistic between -1 and 1: differences below it are rounding
_LEAST_LARGEST_SPREAD = 0.05  # of largest contrasts: about that of null data with many images in each interval
_EULER = 0.5772156649

Floats = NDArray[np.float64]
NullValues = Mapping[str, Sequence[Mapping[int, float]]]  # by kind of null data: the values of each draw by number of clusters


def adjusted_p_values(observed: Mapping[int, float], null: NullValues) -> dict[int, float]:
    """Return p-values by number of clusters, adjusted over all of them, for a statistic whose mean depends on their number.

    Args:
        observed: the statistic of the points by number of clusters; larger is more clustered.
        null: the same statistic of each draw; at least `LEAST_DRAWS` draws per kind.

    Returns:
        A p-value for each number of clusters that all draws have; empty if there is none.
    """
    draws = [draw for own in null.values() for draw in own]
    counts = [k for k in observed if all(k in draw for draw in draws)]
    if not counts or not draws:
        return {}
    tables = [np.array([[draw[k] for k in counts] for draw in own]) for own in null.values()]
    highest = np.min([_standardise(np.array([[observed[k] for k in counts]]), own, tables) for own in tables], axis=0)[0]
    largest = [_leave_one_out(kind, tables) for kind in range(len(tables))]
    return dict(zip(counts, _gumbel_tail(highest, [np.concatenate(largest)]), strict=True))


def p_of_largest(observed: Sequence[float], null: NullValues) -> list[float]:
    """Return p-values of contrasts against the largest one over all numbers of clusters of each draw.

    Args:
        observed: contrasts (`GroupSeparation.contrast`), which do not depend on the number of clusters; larger is more clustered.
        null: the same values of each draw.

    Returns:
        For each value the largest p-value over the kinds; 1 where a kind has fewer than `LEAST_DRAWS` draws with values.
    """
    largest = [np.array([max(draw.values()) for draw in own if draw]) for own in null.values()]
    if not largest or min(len(own) for own in largest) < LEAST_DRAWS:
        return [1.0] * len(observed)
    return _gumbel_tail(np.array(observed), largest)


def _gumbel_tail(values: Floats, largest: Sequence[Floats]) -> list[float]:
    """Probability that a new largest value exceeds each value, at most over the kinds (n,) of largest values.

    Each kind has a Gumbel distribution with its own mean; all kinds share the standard deviation.
    """
    spread = np.sqrt(sum(((own - own.mean()) ** 2).sum() for own in largest) / sum(len(own) - 1 for own in largest))
    scale = max(float(spread), _LEAST_LARGEST_SPREAD) * np.sqrt(6) / np.pi
    tails = [
        gumbel_r.sf(values, loc=own.mean() - _EULER * scale * np.sqrt(1 + 1 / len(own)), scale=scale * np.sqrt(1 + 1 / len(own)))
        for own in largest
    ]
    return [float(p) for p in np.max(tails, axis=0)]


def _standardise(values: Floats, own: Floats, tables: Sequence[Floats]) -> Floats:
    """Z of values (n, K) against the draws (D, K) of one kind, with the standard deviation that all kinds share."""
    freedom = sum(len(table) - 1 for table in tables)
    spread = np.sqrt(sum(((table - table.mean(axis=0)) ** 2).sum(axis=0) for table in tables) / freedom)
    error = np.maximum(spread, _LEAST_SPREAD) * np.sqrt(1 + 1 / len(own))
    return np.asarray((values - own.mean(axis=0)) / error)


def _leave_one_out(kind: int, tables: Sequence[Floats]) -> Floats:
    """(D,) largest z over the numbers of clusters of each draw of one kind, standardised without this draw."""
    own = tables[kind]
    found = []
    for draw in range(len(own)):
        others = [np.delete(table, draw, axis=0) if number == kind else table for number, table in enumerate(tables)]
        found.append(_standardise(own[draw : draw + 1], others[kind], others).max())
    return np.array(found)
