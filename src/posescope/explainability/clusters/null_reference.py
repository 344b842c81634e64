"""The shape of a cloud along its principal axes, without its modes: skew and tails stay, gaps go.

    density along an axis     bins of equal shares of the points
    mode                      the bin at which the fit below is likeliest
    unimodal                  the closest density that rises up to the mode and falls from there (Grenander, 1956)

A cloud that is whole but skewed is cut by k-means where it is thin, which a Gaussian of the same spread would not be. One drawn
from these densities is as skewed, and has one mode along every axis.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from tqdm import tqdm

from posescope.explainability.clustering.base import Clusterer, quick_variant
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.clusters.split_half_stability import split_half_agreements
from posescope.explainability.features.row_blocks import centred_blocks, row_slices, sample_rows

__all__ = [
    "Marginals",
    "fit_marginals",
    "fit_unimodal",
    "NULL_KINDS",
    "NullDraw",
    "NullModel",
    "sample_null_data",
    "cluster_null_data",
    "fit_null_model",
    "principal_spread",
]

_BINS = 60
_LEAST_WIDTH = 1e-9  # of a bin, as a share of all of them
_PERSONS = 10_000  # who shape the densities, at most


@dataclass(frozen=True)
class Marginals:
    """Densities along A axes, each constant within a bin.

    Attributes:
        edges: (A, B + 1) of the bins, from the mean, ascending.
        shares: (A, B) probability of each bin.
    """

    edges: NDArray[np.float64]
    shares: NDArray[np.float64]

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(count, A) points, each coordinate drawn by itself, with mean 0."""
        columns = [
            np.interp(rng.uniform(size=count), np.concatenate([[0.0], np.cumsum(shares)]), edges)
            for edges, shares in zip(self.edges, self.shares, strict=True)
        ]
        return np.stack(columns, axis=1)


def fit_marginals(points: NDArray[np.floating], seed: int) -> Marginals:
    """The unimodal densities nearest to (N, P) points along their min(N, P) principal axes, with the points' spread.

    Args:
        points: N two at least.
        seed: of the sample of them that is looked at where there are many.
    """
    sample = points[sample_rows(len(points), _PERSONS, seed)].astype(np.float64)
    sample -= sample.mean(axis=0)
    # Turned onto the axes: U S has their coordinates as columns.
    left, scale, _ = np.linalg.svd(sample, full_matrices=False)
    bins = min(_BINS, max(1, len(sample) // 5))
    fitted = [_fit_axis(values, bins) for values in (left * scale).T]
    return Marginals(np.stack([edges for edges, _ in fitted]), np.stack([shares for _, shares in fitted]))


def fit_unimodal(shares: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) shares of bins (B,) wide -> (B,) shares of the likeliest density that rises to one mode and falls from there."""
    densities = shares / widths
    best, likelihood = densities, -np.inf
    for mode in range(len(shares)):
        rising = isotonic_regression(densities[: mode + 1], weights=widths[: mode + 1]).x
        falling = isotonic_regression(densities[mode + 1 :], weights=widths[mode + 1 :], increasing=False).x
        found = np.concatenate([rising, falling])
        own = float(shares @ np.log(np.maximum(found, np.finfo(np.float64).tiny)))
        if own > likelihood:
            best, likelihood = found, own
    return np.asarray(best * widths)


def _fit_axis(values: NDArray[np.float64], bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(bins + 1,) edges and (bins,) shares of values (n,) of mean 0."""
    reach = float(np.ptp(values))
    if reach == 0:
        return np.zeros(bins + 1), np.full(bins, 1 / bins)
    edges = np.quantile(values, np.linspace(0, 1, bins + 1))
    # Points that coincide leave bins without width.
    widths = np.maximum(np.diff(edges), _LEAST_WIDTH * reach)
    edges = edges[0] + np.concatenate([[0.0], np.cumsum(widths)])
    shares = fit_unimodal(np.full(bins, 1 / bins), widths)
    middles = (edges[1:] + edges[:-1]) / 2
    mean = shares @ middles
    spread = np.sqrt(shares @ ((middles - mean) ** 2 + widths**2 / 12))
    wanted = np.sqrt((values**2).sum() / max(len(values) - 1, 1))
    return (edges - mean) * wanted / spread, shares


# MERGED from cluster_null: What clustering finds where there is nothing: points of the same spread without clusters,
# divided in the same way.
#
# k-means always returns k clusters, and always with a positive silhouette; only what it returns for a cloud **without**
# clusters
# says what a silhouette is worth. Three such clouds are drawn, all with the covariance of the points:
#
#     gaussian   one mode, thinning out
#     uniform    no mode: a box along the principal axes, as in the gap statistic (Tibshirani, Walther and Hastie, 2001)
#     skewed     as skewed and as long-tailed along each principal axis as the points are, with one mode
# (`cluster_marginals`)
#
# Distances do not change when a cloud is turned, so clouds are drawn along their principal axes. Silhouettes are compared
# at
# the same number of clusters, because a cloud without clusters has lower ones the more clusters it is cut into. A cloud
# that is
# bent, but whole, may still beat all three: no silhouette is the last word.

NullKind = Literal["gaussian", "uniform", "skewed"]
NULL_KINDS: tuple[NullKind, ...] = ("gaussian", "uniform", "skewed")


@dataclass(frozen=True)
class NullModel:
    """What a cloud has of the points: (A,) standard deviations along their principal axes, and the densities there."""

    spread: NDArray[np.float64]
    marginals: Marginals


@dataclass(frozen=True)
class NullDraw:
    """What clustering made of one cloud.

    Attributes:
        kind: which kind.
        silhouette: of its division into as many clusters as the points have; where the clusterer cannot be told how many, of
            the division that it chose.
        silhouettes: by number of clusters, as far as the clusterer says.
        agreement: adjusted Rand index of the divisions of two halves; none where it cannot be had.
    """

    kind: NullKind
    silhouette: float
    silhouettes: Mapping[int, float]
    agreement: float | None


def principal_spread(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(min(N, P),) standard deviations along the principal axes of (N, P) points."""
    count, width = points.shape
    middle, dtype = points.mean(axis=0, dtype=np.float64), points.dtype.type
    # The smaller of covariance and Gram matrix, block by block: both have the same eigenvalues.
    product = np.zeros((min(count, width),) * 2)
    if width <= count:
        for _, block in centred_blocks(points, middle, dtype):
            product += block.T @ block
    else:
        for here in row_slices(width, count):
            block = (points[:, here] - middle[here]).astype(dtype)
            product += block @ block.T
    variances = np.linalg.eigvalsh(product) / max(count - 1, 1)
    spread: NDArray[np.float64] = np.sqrt(np.maximum(variances[::-1], 0))
    return spread


def fit_null_model(points: NDArray[np.floating], seed: int) -> NullModel:
    """The shape of (N, P) points, N two at least; the seed draws those whose densities are looked at."""
    return NullModel(principal_spread(points), fit_marginals(points, seed))


def sample_null_data(kind: NullKind, shape: NullModel, count: int, seed: int) -> NDArray[np.float64]:
    """(count, A) points of that shape, float64."""
    rng, axes = np.random.default_rng(seed), len(shape.spread)
    if kind == "skewed":
        return shape.marginals.draw(count, rng)
    if kind == "gaussian":
        return rng.normal(size=(count, axes)) * shape.spread
    return rng.uniform(-np.sqrt(3), np.sqrt(3), size=(count, axes)) * shape.spread


def cluster_null_data(shape: NullModel, count: int, clusterer: Clusterer, clusters: int, draws: int, seed: int) -> list[NullDraw]:
    """Cluster clouds of `count` points.

    Args:
        shape: of the points.
        count: points a cloud.
        clusterer: that of the points.
        clusters: into which the points were divided.
        draws: of each kind of cloud.
        seed: of the draws.
    """
    every, same = quick_variant(clusterer), quick_variant(clusterer, clusters)
    found = []
    for kind, draw in tqdm([(kind, draw) for kind in NULL_KINDS for draw in range(draws)], desc="clouds without clusters"):
        points = sample_null_data(kind, shape, count, seed + draw)
        clustering = every(points, seed=seed + draw)
        silhouette = clustering.silhouettes.get(clusters)
        if silhouette is None:
            silhouette = measure_silhouettes(points, [same(points, seed=seed + draw).labels])[0].mean
        agreements = split_half_agreements(points, np.arange(count), same, clusters, 1, seed + draw)
        agreement = float(agreements[0]) if len(agreements) else None
        found.append(NullDraw(kind, silhouette, clustering.silhouettes, agreement))
    return found
