"""Differences between each cluster and all other persons in values per person, with controls.

Intervals are bootstrap intervals over images. The control permutes the labels: cluster sizes stay, and persons of one image
still mostly share a label. The largest difference over all clusters of a permutation is what a search among clusters finds by
chance, so the gap of the worst cluster in PCK or OKS is compared with the worst of permuted clusters of the same sizes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageDraws

__all__ = ["ClusterErrors", "Contrasts", "contrast_clusters", "measure_errors", "shuffle_labels", "shuffled_differences"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contrasts:
    """Differences of Q clusters in V values, (Q, V) each; NaN where the value is unknown for all persons of a side.

    Attributes:
        persons, others: number of persons with a known value in the cluster and outside.
        inside, rest: mean value in the cluster and outside.
        difference: inside - rest.
        inside_low, inside_high, rest_low, rest_high, low, high: 95 % intervals of the two means and of the difference.
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
    """Compare each cluster with all other persons.

    Args:
        values: (N, V) per person, NaN where unknown.
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) the image of each person.
        draws: bootstrap samples of these images.
    """
    sums, counts = _by_cluster(values, labels, clusters)
    inside, rest = _means(sums, counts)
    sampled_inside, sampled_rest = _sampled_means(values, labels, clusters, groups, draws)
    inside_low, inside_high = _interval(sampled_inside)
    rest_low, rest_high = _interval(sampled_rest)
    low, high = _interval(sampled_inside - sampled_rest)
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
    """Return the differences of each cluster from all other persons under permuted labels.

    Args:
        values: (N, V) per person, NaN where unknown.
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) the image of each person.
        shuffles: number of permutations.
        seed: random seed of the permutations.

    Returns:
        (shuffles, Q, V).
    """
    rng = np.random.default_rng(seed)
    found = np.empty((shuffles, clusters, values.shape[1]))
    for one in found:
        inside, rest = _means(*_by_cluster(values, shuffle_labels(labels, groups, rng), clusters))
        one[:] = inside - rest
    return found


def shuffle_labels(labels: NDArray[np.int64], groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Permute labels so that the labels of one image go to one image or two.

    Args:
        labels: (N,).
        groups: (N,) the image of each person.
        rng: generator of the permutation.

    Returns:
        (N,).
    """
    images, own = np.unique(groups, return_inverse=True)
    # Stable sorts keep the persons of an image together: labels in one random order of images, persons in another.
    from_order, to_order = (np.argsort(rng.permutation(len(images))[own], kind="stable") for _ in range(2))
    shuffled = np.empty_like(labels)
    shuffled[to_order] = labels[from_order]
    return shuffled


def _by_cluster(values: Floats, labels: NDArray[np.int64], clusters: int) -> tuple[Floats, Floats]:
    """Sums and counts of known values, (Q, V) each."""
    known = ~np.isnan(values)
    members = np.eye(clusters)[labels].T
    return members @ np.where(known, values, 0.0), members @ known.astype(np.float64)


def _means(sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Means inside and outside from sums and counts (..., Q, V); NaN where the count is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = sums / counts
        rest = (sums.sum(axis=-2, keepdims=True) - sums) / (counts.sum(axis=-2, keepdims=True) - counts)
    return np.where(counts > 0, inside, np.nan), np.where(counts.sum(axis=-2, keepdims=True) > counts, rest, np.nan)


def _sampled_means(
    values: Floats, labels: NDArray[np.int64], clusters: int, groups: NDArray[np.int64], draws: ImageDraws
) -> tuple[Floats, Floats]:
    """(R, Q, V) means inside and outside for each bootstrap sample of images."""
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


def _interval(sampled: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Percentile interval over the first axis; samples without a value are left out."""
    known = ~np.isnan(sampled).all(axis=0)
    low, high = np.full(sampled.shape[1:], np.nan), np.full(sampled.shape[1:], np.nan)
    if not known.any():
        return low, high
    low[known], high[known] = np.nanquantile(sampled[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


@dataclass(frozen=True)
class ClusterErrors:
    """Scores of Q clusters.

    Attributes:
        names: names of the V known scores: `pck`, `oks`.
        contrasts: (Q, V) contrasts of the scores.
        largest_gaps: (shuffles, V) rest - inside of the worst cluster of each permutation.
        fractions: (Q,) fraction of the scored persons in each cluster.
    """

    names: tuple[str, ...]
    contrasts: Contrasts
    largest_gaps: NDArray[np.float64]
    fractions: NDArray[np.float64]

    def table(self) -> pd.DataFrame:
        """Return a row per cluster: mean_<score>, <score>_low, <score>_high, rest_<score>, the difference with its interval."""
        columns: dict[str, NDArray[np.float64]] = {}
        found = self.contrasts
        for index, name in enumerate(self.names):
            gap = "difference_from_rest" if name == "pck" else f"{name}_difference_from_rest"
            columns |= {
                f"mean_{name}": found.inside[:, index],
                f"{name}_low": found.inside_low[:, index],
                f"{name}_high": found.inside_high[:, index],
                f"rest_{name}": found.rest[:, index],
                gap: found.difference[:, index],
                f"{gap}_low": found.low[:, index],
                f"{gap}_high": found.high[:, index],
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
    """Compare the scores of each cluster with those of all other persons.

    Args:
        scores: (N,) scores by name, NaN where unknown, higher is better.
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) the image of each person.
        draws: bootstrap samples of these images.
        shuffles: permutations of the labels.
        seed: random seed of the permutations.

    Returns:
        None if no person has a score.
    """
    known = {name: own for name, own in scores.items() if own is not None and not np.isnan(own).all()}
    if not known:
        return None
    values = np.stack(list(known.values()), axis=1)
    contrasts = contrast_clusters(values, labels, clusters, groups, draws)
    shuffled = shuffled_differences(values, labels, clusters, groups, shuffles, seed)
    largest = np.nanmax(-shuffled, axis=1, initial=0.0)
    return ClusterErrors(tuple(known), contrasts, largest, contrasts.persons[:, 0] / max(contrasts.persons[:, 0].sum(), 1))
