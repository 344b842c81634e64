"""Differences between each cluster and all other persons in values per person, with controls.

Intervals are bootstrap intervals over images. The control permutes the labels: cluster sizes stay, and persons of one image
still mostly share a label. The largest difference over all clusters of a permutation is what a search among clusters finds by
chance, so the gap of the worst cluster in PCK or OKS is compared with the worst of permuted clusters of the same sizes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples

__all__ = ["ClusterComparison", "ClusterErrors", "Contrasts", "measure_errors"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contrasts:
    """Differences of Q clusters in V values, (Q, V) each; NaN where the value is unknown for all persons of a side.

    Attributes:
        persons, others: number of persons with a known value in the cluster and outside.
        inside, rest: mean value in the cluster and outside.
        difference: inside - rest.
        inside_low, inside_high, low, high: 95 % intervals of the mean in the cluster and of the difference.
    """

    persons: Floats
    others: Floats
    inside: Floats
    inside_low: Floats
    inside_high: Floats
    rest: Floats
    difference: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class ClusterComparison:
    """Comparison of Q clusters with all other persons, with permuted labels as the control.

    Attributes:
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) the image of each person.
        draws: bootstrap samples of these images.
        shuffles: number of permutations.
        seed: random seed of the permutations.
    """

    labels: NDArray[np.int64]
    clusters: int
    groups: NDArray[np.int64]
    draws: ImageResamples
    shuffles: int
    seed: int

    def contrast(self, values: Floats) -> Contrasts:
        """Compare each cluster with all other persons in (N, V) values, NaN where unknown."""
        sums, counts = self._by_cluster(values, self.labels)
        inside, rest = _means(sums, counts)
        sampled_inside, sampled_rest = self._sampled_means(values)
        inside_low, inside_high = _interval(sampled_inside)
        low, high = _interval(sampled_inside - sampled_rest)
        others = counts.sum(axis=0) - counts
        return Contrasts(counts, others, inside, inside_low, inside_high, rest, inside - rest, low, high)

    def permuted_differences(self, values: Floats) -> Floats:
        """Return the differences (shuffles, Q, V) of each cluster from all other persons under permuted labels."""
        rng = np.random.default_rng(self.seed)
        found = np.empty((self.shuffles, self.clusters, values.shape[1]))
        for one in found:
            inside, rest = _means(*self._by_cluster(values, self.permuted_labels(rng)))
            one[:] = inside - rest
        return found

    def permuted_labels(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Permute the labels (N,) so that the labels of one image go to one image or two."""
        images, own = np.unique(self.groups, return_inverse=True)
        # Stable sorts keep the persons of an image together: labels in one random order of images, persons in another.
        from_order, to_order = (np.argsort(rng.permutation(len(images))[own], kind="stable") for _ in range(2))
        shuffled = np.empty_like(self.labels)
        shuffled[to_order] = self.labels[from_order]
        return shuffled

    def _by_cluster(self, values: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return sums and counts of known values, (Q, V) each."""
        known = ~np.isnan(values)
        members = np.eye(self.clusters)[labels].T
        return members @ np.where(known, values, 0.0), members @ known.astype(np.float64)

    def _sampled_means(self, values: Floats) -> tuple[Floats, Floats]:
        """(R, Q, V) means inside and outside for each bootstrap sample of images."""
        known, draws = ~np.isnan(values), self.draws
        cells = np.searchsorted(draws.image_ids, self.groups) * self.clusters + self.labels
        size = len(draws.image_ids) * self.clusters
        columns = (*np.where(known, values, 0.0).T, *known.T.astype(np.float64))
        by_image = [np.bincount(cells, weights=column, minlength=size).reshape(-1, self.clusters) for column in columns]
        totals: Floats = draws.counts.astype(np.float64) @ np.hstack(by_image)
        sums, counts = totals.reshape(len(draws.counts), 2, values.shape[1], self.clusters).transpose(1, 0, 3, 2)
        return _means(sums, counts)


def _means(sums: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Means inside and outside from sums and counts (..., Q, V); NaN where the count is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = sums / counts
        rest = (sums.sum(axis=-2, keepdims=True) - sums) / (counts.sum(axis=-2, keepdims=True) - counts)
    return np.where(counts > 0, inside, np.nan), np.where(counts.sum(axis=-2, keepdims=True) > counts, rest, np.nan)


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
        names: names of the V scores: `pck`, `oks`.
        contrasts: (Q, V) contrasts of the scores.
        largest_gaps: (shuffles, V) largest gap over the clusters in each permutation; a gap is the mean score of all other
            persons minus that of the cluster.
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


def measure_errors(scores: dict[str, NDArray[np.float64]], comparison: ClusterComparison) -> ClusterErrors:
    """Compare the scores of each cluster with those of all other persons.

    Args:
        scores: (N,) scores by name, NaN where unknown, higher is better.
        comparison: clusters of these persons.
    """
    values = np.stack(list(scores.values()), axis=1)
    contrasts = comparison.contrast(values)
    largest = np.nanmax(-comparison.permuted_differences(values), axis=1, initial=0.0)
    return ClusterErrors(tuple(scores), contrasts, largest, contrasts.persons[:, 0] / max(contrasts.persons[:, 0].sum(), 1))
