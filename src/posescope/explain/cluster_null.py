"""What clustering finds where there is nothing: points of the same spread without clusters, divided in the same way.

k-means always returns k clusters, and always with a positive silhouette; only what it returns for a cloud **without** clusters
says what a silhouette is worth. Three such clouds are drawn, all with the covariance of the points:

    gaussian   one mode, thinning out
    uniform    no mode: a box along the principal axes, as in the gap statistic (Tibshirani, Walther and Hastie, 2001)
    skewed     as skewed and as long-tailed along each principal axis as the points are, with one mode (`cluster_marginals`)

Distances do not change when a cloud is turned, so clouds are drawn along their principal axes. Silhouettes are compared at
the same number of clusters, because a cloud without clusters has lower ones the more clusters it is cut into. A cloud that is
bent, but whole, may still beat all three: no silhouette is the last word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.explain.cluster_marginals import Marginals, fit_marginals
from posescope.explain.clustering import Clusterer, quick_one_of
from posescope.explain.rows import centred_blocks, row_slices
from posescope.explain.silhouettes import measure_silhouettes
from posescope.explain.stability import agreements_of_halves

__all__ = ["CLOUDS", "NullDraw", "Shape", "draw_cloud", "draw_null", "shape_of", "spread_of"]

Cloud = Literal["gaussian", "uniform", "skewed"]
CLOUDS: tuple[Cloud, ...] = ("gaussian", "uniform", "skewed")


@dataclass(frozen=True)
class Shape:
    """What a cloud has of the points: (A,) standard deviations along their principal axes, and the densities there."""

    spread: NDArray[np.float64]
    marginals: Marginals


@dataclass(frozen=True)
class NullDraw:
    """What clustering made of one cloud.

    Attributes:
        cloud: which kind.
        silhouette: of its division into as many clusters as the points have; where the clusterer cannot be told how many, of
            the division that it chose.
        silhouettes: by number of clusters, as far as the clusterer says.
        agreement: adjusted Rand index of the divisions of two halves; none where it cannot be had.
    """

    cloud: Cloud
    silhouette: float
    silhouettes: Mapping[int, float]
    agreement: float | None


def spread_of(points: NDArray[np.floating]) -> NDArray[np.float64]:
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


def shape_of(points: NDArray[np.floating], seed: int) -> Shape:
    """The shape of (N, P) points, N two at least; the seed draws those whose densities are looked at."""
    return Shape(spread_of(points), fit_marginals(points, seed))


def draw_cloud(cloud: Cloud, shape: Shape, count: int, seed: int) -> NDArray[np.float64]:
    """(count, A) points of that shape, float64."""
    rng, axes = np.random.default_rng(seed), len(shape.spread)
    if cloud == "skewed":
        return shape.marginals.draw(count, rng)
    if cloud == "gaussian":
        return rng.normal(size=(count, axes)) * shape.spread
    return rng.uniform(-np.sqrt(3), np.sqrt(3), size=(count, axes)) * shape.spread


def draw_null(shape: Shape, count: int, clusterer: Clusterer, clusters: int, draws: int, seed: int) -> list[NullDraw]:
    """Cluster clouds of `count` points.

    Args:
        shape: of the points.
        count: points a cloud.
        clusterer: that of the points.
        clusters: into which the points were divided.
        draws: of each kind of cloud.
        seed: of the draws.
    """
    every, same = quick_one_of(clusterer), quick_one_of(clusterer, clusters)
    found = []
    for cloud, draw in tqdm([(cloud, draw) for cloud in CLOUDS for draw in range(draws)], desc="clouds without clusters"):
        points = draw_cloud(cloud, shape, count, seed + draw)
        clustering = every(points, seed=seed + draw)
        silhouette = clustering.silhouettes.get(clusters)
        if silhouette is None:
            silhouette = measure_silhouettes(points, [same(points, seed=seed + draw).labels])[0].mean
        agreements = agreements_of_halves(points, np.arange(count), same, clusters, 1, seed + draw)
        agreement = float(agreements[0]) if len(agreements) else None
        found.append(NullDraw(cloud, silhouette, clustering.silhouettes, agreement))
    return found
