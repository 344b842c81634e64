"""Null reference data: points of the same covariance without clusters, clustered in the same way.

k-means always returns k clusters with a positive silhouette, so a silhouette is meaningful only beside that of data without
clusters (Tibshirani, Walther and Hastie, 2001, the gap statistic). Null data have the covariance of the points and are of three
kinds:

    gaussian   one mode
    uniform    a box along the principal axes, as in the gap statistic
    skewed     independent unimodal densities along the principal axes with the skew and tails of the points

A skewed density: bins with equally many points; for every bin as the mode the closest density that rises up to it and falls
from it (Grenander, 1956); the likeliest of these. k-means splits skewed data where they are sparse, which Gaussian data of the
same covariance do not show.

Distances are invariant to rotation, so null data are sampled along the principal axes. Silhouettes are compared at the same
number of clusters, since those of null data decrease with it. Data in one curved piece may still exceed all three; for them see
`density_valleys`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from tqdm import tqdm

from posescope.explainability.clustering.base import Clusterer, Clustering, cluster_range
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.clusters.density_valleys import measure_separation
from posescope.explainability.clusters.split_half_stability import cluster_halves
from posescope.explainability.features.row_blocks import centred_blocks, row_slices, sample_rows

__all__ = [
    "NULL_KINDS",
    "NullDraw",
    "NullModel",
    "cluster_null_data",
    "fit_null_model",
    "fit_unimodal",
    "principal_spread",
    "silhouettes_of",
]

_BINS = 60
_MIN_WIDTH = 1e-9  # of a bin, as a fraction of the range
_MAX_PERSONS = 10_000  # sampled for the densities

NullKind = Literal["gaussian", "uniform", "skewed"]
NULL_KINDS: tuple[NullKind, ...] = ("gaussian", "uniform", "skewed")


@dataclass(frozen=True)
class NullModel:
    """Distribution of null data along the A principal axes of points.

    Attributes:
        spread: (A,) standard deviations of the points.
        edges: (A, B + 1) edges of the bins of the skewed densities, relative to the mean, ascending.
        probabilities: (A, B) probabilities of the bins; the density is constant within a bin.
    """

    spread: NDArray[np.float64]
    edges: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def sample(self, kind: NullKind, count: int, seed: int) -> NDArray[np.float64]:
        """Sample points of mean 0 with independent coordinates.

        Args:
            kind: kind of null data.
            count: number of points.
            seed: random seed of the sample.

        Returns:
            (count, A).
        """
        rng, size = np.random.default_rng(seed), (count, len(self.spread))
        if kind == "gaussian":
            return rng.normal(size=size) * self.spread
        if kind == "uniform":
            return rng.uniform(-np.sqrt(3), np.sqrt(3), size=size) * self.spread
        columns = [
            np.interp(rng.uniform(size=count), np.concatenate([[0.0], np.cumsum(probabilities)]), edges)
            for edges, probabilities in zip(self.edges, self.probabilities, strict=True)
        ]
        return np.stack(columns, axis=1)


@dataclass(frozen=True)
class NullDraw:
    """Clustering of one set of null data.

    Attributes:
        kind: kind of the null data.
        silhouettes: mean silhouettes by number of clusters.
        agreements: split-half adjusted Rand indices by number of clusters; a number is missing where it is undefined.
        contrasts: contrast of the group that is separated most (`GroupSeparation.contrast`), likewise.
        ratios: density in the valleys around this group (`GroupSeparation.ratio`), likewise.
    """

    kind: NullKind
    silhouettes: Mapping[int, float]
    agreements: Mapping[int, float]
    contrasts: Mapping[int, float]
    ratios: Mapping[int, float]


def fit_null_model(points: NDArray[np.floating], seed: int) -> NullModel:
    """Fit the distribution of null data along the min(N, P) principal axes of points.

    Args:
        points: (N, P), N >= 2.
        seed: random seed of the sample of many points, for the densities.
    """
    sample = points[sample_rows(len(points), _MAX_PERSONS, seed)].astype(np.float64)
    sample -= sample.mean(axis=0)
    # The columns of U S are the coordinates along the principal axes.
    left, scale, _ = np.linalg.svd(sample, full_matrices=False)
    bins = min(_BINS, max(1, len(sample) // 5))
    edges, probabilities = zip(*(_fit_axis(values, bins) for values in (left * scale).T), strict=True)
    return NullModel(principal_spread(points), np.stack(edges), np.stack(probabilities))


def fit_unimodal(probabilities: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the likeliest unimodal density, as probabilities of the same bins.

    Args:
        probabilities: (B,) observed, of the bins.
        widths: (B,) widths of the bins.

    Returns:
        (B,).
    """
    densities = probabilities / widths
    best, likelihood = densities, -np.inf
    for mode in range(len(probabilities)):
        rising = isotonic_regression(densities[: mode + 1], weights=widths[: mode + 1]).x
        falling = isotonic_regression(densities[mode + 1 :], weights=widths[mode + 1 :], increasing=False).x
        found = np.concatenate([rising, falling])
        own = float(probabilities @ np.log(np.maximum(found, np.finfo(np.float64).tiny)))
        if own > likelihood:
            best, likelihood = found, own
    return np.asarray(best * widths)


def principal_spread(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (min(N, P),) standard deviations of (N, P) points along their principal axes, descending."""
    count, width = points.shape
    mean, dtype = points.mean(axis=0, dtype=np.float64), points.dtype.type
    # The smaller of covariance and Gram matrix, block by block: both have the same eigenvalues.
    product = np.zeros((min(count, width),) * 2)
    if width <= count:
        for _, block in centred_blocks(points, mean, dtype):
            product += block.T @ block
    else:
        for here in row_slices(width, count):
            block = (points[:, here] - mean[here]).astype(dtype)
            product += block @ block.T
    variances = np.linalg.eigvalsh(product) / max(count - 1, 1)
    spread: NDArray[np.float64] = np.sqrt(np.maximum(variances[::-1], 0))
    return spread


def cluster_null_data(
    model: NullModel, count: int, clusterer: Clusterer, counts: Sequence[int], draws: int, seed: int
) -> list[NullDraw]:
    """Cluster samples of null data of each kind into each number of clusters, with the effort of the clusterer of the points.

    Args:
        model: fitted to the points.
        count: points per sample.
        clusterer: clusterer of the points.
        counts: numbers of clusters.
        draws: samples per kind.
        seed: random seed of the samples.
    """
    found = []
    for kind, draw in tqdm([(kind, draw) for kind in NULL_KINDS for draw in range(draws)], desc="null reference data"):
        points = model.sample(kind, count, seed + draw)
        clusterings = cluster_range(clusterer, points, seed + draw, counts)
        persons = np.arange(count)
        halves = cluster_halves(points, persons, clusterer, clusterings, seed + draw)
        groups = {k: measure_separation(points, persons, one.centres, [halves]) for k, one in clusterings.items()}
        most = {k: max(own, key=lambda one: one.contrast) for k, own in groups.items() if own}
        found.append(
            NullDraw(
                kind,
                silhouettes_of(points, clusterings),
                halves.agreements(points),
                contrasts={k: group.contrast for k, group in most.items()},
                ratios={k: group.ratio for k, group in most.items()},
            )
        )
    return found


def silhouettes_of(
    points: NDArray[np.floating], clusterings: Mapping[int, Clustering], rows: NDArray[np.int64] | None = None
) -> dict[int, float]:
    """Return the mean silhouette of each clustering, by number of clusters.

    Args:
        points: (N, P).
        clusterings: clusterings of these points.
        rows: rows of the points that are measured; none: all.
    """
    measured = measure_silhouettes(points, [one.labels for one in clusterings.values()], rows)
    return {k: own.mean for k, own in zip(clusterings, measured, strict=True)}


def _fit_axis(values: NDArray[np.float64], bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(bins + 1,) edges and (bins,) probabilities of values (n,) of mean 0."""
    value_range = float(np.ptp(values))
    if value_range == 0:
        return np.zeros(bins + 1), np.full(bins, 1 / bins)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1))
    # Points that coincide leave bins without width.
    widths = np.maximum(np.diff(edges), _MIN_WIDTH * value_range)
    edges = edges[0] + np.concatenate([[0.0], np.cumsum(widths)])
    probabilities = fit_unimodal(np.full(bins, 1 / bins), widths)
    centres = (edges[1:] + edges[:-1]) / 2
    mean = probabilities @ centres
    spread = np.sqrt(probabilities @ ((centres - mean) ** 2 + widths**2 / 12))
    target_spread = np.sqrt((values**2).sum() / max(len(values) - 1, 1))
    return (edges - mean) * target_spread / spread, probabilities
