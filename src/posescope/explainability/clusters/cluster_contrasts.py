"""How a cluster differs from everybody else in numbers measured of each person, and how much it would by chance.

Intervals resample photographs. The control shuffles the labels: sizes stay, and so does that people of one photograph mostly
share a label; the largest difference over all clusters is what a search among clusters finds where there is nothing.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageDraws

__all__ = ["Contrasts", "contrast_clusters", "shuffle_labels", "shuffled_differences", "ClusterErrors", "measure_errors"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contrasts:
    """Of Q clusters in V numbers, (Q, V) each; NaN where a side has nobody with that number.

    Attributes:
        persons: of the cluster with that number known; others: of the rest.
        inside, rest: means; difference: inside - rest.
        inside_low, inside_high, rest_low, rest_high, low, high: 95 % intervals of the three.
    """

    persons: Floats
    others: Floats
    inside: Floats
    inside_low: Floats
    inside_high: Floats
    rest: Floats
    rest_low: Floats
    rest_high: Floats
    difference: Floats
    low: Floats
    high: Floats


def contrast_clusters(
    values: Floats, labels: NDArray[np.int64], clusters: int, groups: NDArray[np.int64], draws: ImageDraws
) -> Contrasts:
    """Compare each cluster with the rest.

    Args:
        values: (N, V) numbers of each person, NaN where unknown.
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) the photograph of each person.
        draws: of these photographs.
    """
    sums, counts = _by_cluster(values, labels, clusters)
    inside, rest = _means(sums, counts)
    drawn_inside, drawn_rest = _drawn_means(values, labels, clusters, groups, draws)
    inside_low, inside_high = _interval(drawn_inside)
    rest_low, rest_high = _interval(drawn_rest)
    low, high = _interval(drawn_inside - drawn_rest)
    return Contrasts(
        persons=counts,
        others=counts.sum(axis=0) - counts,
        inside=inside,
        inside_low=inside_low,
        inside_high=inside_high,
        rest=rest,
        rest_low=rest_low,
        rest_high=rest_high,
        difference=inside - rest,
        low=low,
        high=high,
    )


def shuffled_differences(
    values: Floats, labels: NDArray[np.int64], clusters: int, groups: NDArray[np.int64], shuffles: int, seed: int
) -> Floats:
    """(shuffles, Q, V) differences between each cluster and the rest after the labels were shuffled."""
    rng = np.random.default_rng(seed)
    found = np.empty((shuffles, clusters, values.shape[1]))
    for one in found:
        inside, rest = _means(*_by_cluster(values, shuffle_labels(labels, groups, rng), clusters))
        one[:] = inside - rest
    return found


def shuffle_labels(labels: NDArray[np.int64], groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The same labels in another order; labels of one photograph stay side by side, and go to one photograph or two."""
    photographs, own = np.unique(groups, return_inverse=True)
    # Stable sorts keep the people of a photograph together: labels in one random order of photographs, people in another.
    from_order, to_order = (np.argsort(rng.permutation(len(photographs))[own], kind="stable") for _ in range(2))
    shuffled = np.empty_like(labels)
    shuffled[to_order] = labels[from_order]
    return shuffled


def _by_cluster(values: Floats, labels: NDArray[np.int64], clusters: int) -> tuple[Floats, Floats]:
    """Sums and numbers of known values, (Q, V) each."""
    known = ~np.isnan(values)
    members = np.eye(clusters)[labels].T
    return members @ np.where(known, values, 0.0), members @ known.astype(np.float64)


def _means(sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Means inside and outside, from sums and numbers (..., Q, V); NaN where there is nobody."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = sums / counts
        rest = (sums.sum(axis=-2, keepdims=True) - sums) / (counts.sum(axis=-2, keepdims=True) - counts)
    return np.where(counts > 0, inside, np.nan), np.where(counts.sum(axis=-2, keepdims=True) > counts, rest, np.nan)


def _drawn_means(
    values: Floats, labels: NDArray[np.int64], clusters: int, groups: NDArray[np.int64], draws: ImageDraws
) -> tuple[Floats, Floats]:
    """(R, Q, V) means inside and outside in each draw of photographs."""
    known = ~np.isnan(values)
    places = np.searchsorted(draws.image_ids, groups)
    cells = places * clusters + labels
    size = len(draws.image_ids) * clusters
    columns = (*np.where(known, values, 0.0).T, *known.T.astype(np.float64))
    by_image = [np.bincount(cells, weights=column, minlength=size).reshape(-1, clusters) for column in columns]
    totals: Floats = (draws.counts.astype(np.float64) @ np.hstack(by_image)).reshape(
        len(draws.counts), 2, values.shape[1], clusters
    )
    sums, counts = totals.transpose(1, 0, 3, 2)
    return _means(sums, counts)


def _interval(drawn: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Percentile interval over the first axis; draws without a value are left out."""
    known = ~np.isnan(drawn).all(axis=0)
    low, high = np.full(drawn.shape[1:], np.nan), np.full(drawn.shape[1:], np.nan)
    if not known.any():
        return low, high
    low[known], high[known] = np.nanquantile(drawn[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


# MERGED from cluster_errors: Does the model fail on a cluster: PCK and OKS of each against the rest, and the largest gap
# that chance makes.
#
# Clusters are made without looking at the error, but there are several of them, and somebody looks at the worst. The
# control is
# therefore the largest gap among clusters of the same sizes with shuffled labels, not the gap of one of them.


@dataclass(frozen=True)
class ClusterErrors:
    """Scores of Q clusters.

    Attributes:
        names: of the V scores: `pck`, `oks`; those that are known.
        contrasts: (Q, V) of each.
        largest_gaps: (shuffles, V) by how much the worst of the shuffled clusters lies below its rest.
        shares: (Q,) share of the scored persons in each cluster.
    """

    names: tuple[str, ...]
    contrasts: Contrasts
    largest_gaps: NDArray[np.float64]
    shares: NDArray[np.float64]

    def table(self) -> pd.DataFrame:
        """A row a cluster: mean_<score>, <score>_low, <score>_high, the same of the rest, and the difference."""
        columns: dict[str, NDArray[np.float64]] = {}
        found = self.contrasts
        for place, name in enumerate(self.names):
            # The difference of the first score, PCK, goes by the short name.
            gap = "difference_from_rest" if name == "pck" else f"{name}_against_rest"
            columns |= {
                f"mean_{name}": found.inside[:, place],
                f"{name}_low": found.inside_low[:, place],
                f"{name}_high": found.inside_high[:, place],
                f"rest_{name}": found.rest[:, place],
                gap: found.difference[:, place],
                f"{gap}_low": found.low[:, place],
                f"{gap}_high": found.high[:, place],
            }
        return pd.DataFrame(columns)


def measure_errors(
    scores: dict[str, NDArray[np.float64] | None],
    labels: NDArray[np.int64],
    clusters: int,
    groups: NDArray[np.int64],
    draws: ImageDraws,
    *,
    shuffles: int,
    seed: int,
) -> ClusterErrors | None:
    """Compare clusters by how well the model does on them; none where nobody was scored.

    Args:
        scores: (N,) by name, NaN where unknown, higher is better.
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) photographs.
        draws: of these photographs.
        shuffles: of the labels.
        seed: of the shuffles.
    """
    known = {name: own for name, own in scores.items() if own is not None and not np.isnan(own).all()}
    if not known:
        return None
    values = np.stack(list(known.values()), axis=1)
    contrasts = contrast_clusters(values, labels, clusters, groups, draws)
    shuffled = shuffled_differences(values, labels, clusters, groups, shuffles, seed)
    largest = np.nanmax(-shuffled, axis=1, initial=0.0)
    return ClusterErrors(tuple(known), contrasts, largest, contrasts.persons[:, 0] / max(contrasts.persons[:, 0].sum(), 1))
