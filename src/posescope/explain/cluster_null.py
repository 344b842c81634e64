"""What clustering finds where there is nothing: points of the same spread without clusters, divided in the same way.

k-means always returns k clusters, and always with a positive silhouette; only what it returns for a cloud **without** clusters
says what a silhouette is worth. Two such clouds are drawn, both with the covariance of the points:

    gaussian   one mode, thinning out
    uniform    no mode: a box along the principal axes, as in the gap statistic (Tibshirani, Walther and Hastie, 2001)

Distances do not change when a cloud is turned, so clouds are drawn along their principal axes. Silhouettes are compared at
the same number of clusters, because a cloud without clusters has lower ones the more clusters it is cut into. A cloud that is
bent or skewed, but whole, may still beat both: no silhouette is the last word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.explain.clustering import Clusterer, quick_one_of
from posescope.explain.silhouettes import measure_silhouettes
from posescope.explain.stability import agreements_of_halves

__all__ = ["CLOUDS", "NullDraw", "draw_cloud", "draw_null", "spread_of"]

Cloud = Literal["gaussian", "uniform"]
CLOUDS: tuple[Cloud, ...] = ("gaussian", "uniform")


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
    centred = points - points.mean(axis=0, dtype=np.float64).astype(points.dtype)
    # The smaller of covariance and Gram matrix: both have the same eigenvalues.
    product = centred.T @ centred if centred.shape[1] <= centred.shape[0] else centred @ centred.T
    variances = np.linalg.eigvalsh(product.astype(np.float64)) / max(len(points) - 1, 1)
    return np.sqrt(np.maximum(variances[::-1], 0))


def draw_cloud(cloud: Cloud, spread: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    """(count, P) points with standard deviations (P,), float64."""
    rng = np.random.default_rng(seed)
    if cloud == "gaussian":
        return rng.normal(size=(count, len(spread))) * spread
    return rng.uniform(-np.sqrt(3), np.sqrt(3), size=(count, len(spread))) * spread


def draw_null(
    spread: NDArray[np.float64], count: int, clusterer: Clusterer, clusters: int, draws: int, seed: int
) -> list[NullDraw]:
    """Cluster clouds of `count` points.

    Args:
        spread: (P,) standard deviations.
        count: points a cloud.
        clusterer: that of the points.
        clusters: into which the points were divided.
        draws: of each kind of cloud.
        seed: of the draws.
    """
    every, same = quick_one_of(clusterer), quick_one_of(clusterer, clusters)
    found = []
    for cloud, draw in tqdm([(cloud, draw) for cloud in CLOUDS for draw in range(draws)], desc="clouds without clusters"):
        points = draw_cloud(cloud, spread, count, seed + draw)
        clustering = every(points, seed=seed + draw)
        silhouette = clustering.silhouettes.get(clusters)
        if silhouette is None:
            silhouette = measure_silhouettes(points, [same(points, seed=seed + draw).labels])[0].mean
        agreements = agreements_of_halves(points, np.arange(count), same, clusters, 1, seed + draw)
        agreement = float(agreements[0]) if len(agreements) else None
        found.append(NullDraw(cloud, silhouette, clustering.silhouettes, agreement))
    return found
