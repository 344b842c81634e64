"""The shape of a cloud along its principal axes, without its modes: skew and tails stay, gaps go.

    density along an axis     bins of equal shares of the points
    mode                      the bin at which the fit below is likeliest
    unimodal                  the closest density that rises up to the mode and falls from there (Grenander, 1956)

A cloud that is whole but skewed is cut by k-means where it is thin, which a Gaussian of the same spread would not be. One drawn
from these densities is as skewed, and has one mode along every axis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from posescope.explain.rows import sample_rows

__all__ = ["Marginals", "fit_marginals", "flatten_modes"]

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


def flatten_modes(shares: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.float64]:
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
    shares = flatten_modes(np.full(bins, 1 / bins), widths)
    middles = (edges[1:] + edges[:-1]) / 2
    mean = shares @ middles
    spread = np.sqrt(shares @ ((middles - mean) ** 2 + widths**2 / 12))
    wanted = np.sqrt((values**2).sum() / max(len(values) - 1, 1))
    return (edges - mean) * wanted / spread, shares
