"""How sure an average is: bootstrap percentile intervals (Efron, 1979) over persons."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "bootstrap_difference", "bootstrap_mean"]

_BLOCK_DRAWS = 2_000_000  # numbers drawn at once: bounds the memory, whatever the number of persons


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its confidence interval; all three are NaN where there is nothing to average."""

    estimate: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero (False for NaN)."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(values: NDArray[np.float64], seed: int, resamples: int = 1000, level: float = 0.95) -> Interval:
    """The mean of (n,) values with its interval; NaN values are left out.

    Args:
        values: one a person.
        seed: of the resampling.
        resamples: how many times n persons are drawn with replacement.
        level: share of the resampled means inside the interval, 0..1.
    """
    known = values[~np.isnan(values)]
    means = _resampled_means(known, np.random.default_rng(seed), resamples)
    return _interval(float(known.mean()) if len(known) else float("nan"), means, level)


def bootstrap_difference(
    first: NDArray[np.float64], second: NDArray[np.float64], seed: int, resamples: int = 1000, level: float = 0.95
) -> Interval:
    """mean(first) - mean(second) of two separate groups of persons; each is resampled by itself. As `bootstrap_mean`."""
    rng = np.random.default_rng(seed)
    groups = [values[~np.isnan(values)] for values in (first, second)]
    means = [_resampled_means(group, rng, resamples) for group in groups]
    estimate = float(groups[0].mean() - groups[1].mean()) if all(len(group) for group in groups) else float("nan")
    return _interval(estimate, means[0] - means[1], level)


def _resampled_means(values: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    count = len(values)
    if not count:
        return np.full(resamples, np.nan)
    means = np.empty(resamples)
    step = max(1, _BLOCK_DRAWS // count)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        means[start : start + rows] = values[rng.integers(0, count, size=(rows, count))].mean(axis=1)
    return means


def _interval(estimate: float, means: NDArray[np.float64], level: float) -> Interval:
    if np.isnan(estimate):
        return Interval(estimate, estimate, estimate)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))
