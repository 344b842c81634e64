"""Bootstrap confidence intervals over images (Efron, 1979; cluster bootstrap), since the persons of one image are alike.

    images   a  b  c              drawn with replacement, as many as there are, with all their persons
    draw 1   2  0  1     ->  mean = (2 sum_a + 0 sum_b + 1 sum_c) / (2 n_a + 0 n_b + 1 n_c)

Values are summed once per image; a draw is a product of its counts with these sums. So a thousand draws of thousands of persons
take milliseconds, and several metrics (or two runs) share the same draws.

Of very many images, the product is formed in blocks of draws, whose size does not depend on the machine. On a cluster, a worker
draws the images of a block again, from the state of the generator at its begin: the sums per image are sent, not the counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.compute import current_cluster
from posescope.core.hardware import count_blas_threads, limit_blas_threads

__all__ = ["MIN_IMAGES", "ImageResamples", "Interval", "resample_images"]

# Intervals over fewer images are too narrow: at 10 images a 95 % interval of the mean covers 92 %.
MIN_IMAGES = 20

_BLOCK_DRAWS = 50
# Numbers of counts, draws times images, from which the product is formed in blocks, and from which a cluster saves time.
_IN_BLOCKS_FROM = 20_000_000
_ON_CLUSTER_FROM = 200_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its confidence interval; all three are NaN if there are no values."""

    estimate: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """Format as `estimate [low, high]`, each number by the given format."""
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def columns(self, name: str) -> dict[str, float]:
        """Return the estimate and both ends as the columns `name`, `name_low` and `name_high`."""
        return {name: self.estimate, f"{name}_low": self.low, f"{name}_high": self.high}

    @property
    def is_known(self) -> bool:
        """Whether the estimate and both ends are finite."""
        return bool(np.isfinite([self.estimate, self.low, self.high]).all())

    @property
    def excludes_zero(self) -> bool:
        """Whether all of the interval is above zero, or all of it below (False for NaN)."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class ImageResamples:
    """R draws of M images.

    Attributes:
        image_ids: (M,) ascending.
        counts: (R, M) float32, whole numbers: how often each image is in each draw; rows sum to M.
        states: state of the generator before each block of draws; empty if unknown.
    """

    image_ids: NDArray[np.int64]
    counts: NDArray[np.float32]
    states: tuple[Mapping[str, Any], ...] = ()

    def means(self, values: NDArray[np.float64], image_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (R,) the mean of the values in each draw; NaN for a draw without values.

        Args:
            values: (n,) one per person or joint; NaN values are ignored.
            image_ids: (n,) the image of each; an image that is not in `self.image_ids` counts as never drawn.
        """
        known = ~np.isnan(values)
        return self.ratios(np.where(known, values, 0.0), known.astype(np.float64), image_ids)

    def ratios(
        self, numerators: NDArray[np.float64], denominators: NDArray[np.float64], image_ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the ratio of the sums in each draw; NaN where the denominator's sum is 0.

        Args:
            numerators, denominators: (n,), or (n, Q) for Q ratios at once; no NaN.
            image_ids: (n,) the image of each row, as for `means`.

        Returns:
            (R,), or (R, Q).
        """
        columns = [np.atleast_2d(values.T) for values in (numerators, denominators)]
        sums = np.stack([self._by_image(column, image_ids) for part in columns for column in part], axis=1)
        over, under = np.split(self._sum_draws(sums), 2, axis=1)
        ratios: NDArray[np.float64] = np.full(over.shape, np.nan)
        np.divide(over, under, out=ratios, where=under > 0)
        return ratios.reshape(len(ratios), *numerators.shape[1:])

    def interval(self, estimate: float, drawn: NDArray[np.float64], level: float = 0.95) -> Interval:
        """Return the percentile interval of the drawn values.

        Args:
            estimate: the value of the undrawn data.
            drawn: (R,) the value of each draw; NaN values are ignored.
            level: fraction of the drawn values inside the interval, 0..1.

        Returns:
            The interval; low and high are NaN if the estimate is NaN or no draw has a value.
        """
        known = drawn[~np.isnan(drawn)]
        if np.isnan(estimate) or not len(known):
            return Interval(estimate, float("nan"), float("nan"))
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return Interval(estimate, float(low), float(high))

    def mean_interval(self, values: NDArray[np.float64], image_ids: NDArray[np.int64], level: float = 0.95) -> Interval:
        """Return the mean of (n,) values with its interval.

        Args:
            values, image_ids: see `means`.
            level: see `interval`.
        """
        known = values[~np.isnan(values)]
        estimate = float(known.mean()) if len(known) else float("nan")
        return self.interval(estimate, self.means(values, image_ids), level)

    def _sum_draws(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (R, Q), the sums of each draw, of the sums per image (M, Q)."""
        size, draws = self.counts.size, len(self.counts)
        if size < _IN_BLOCKS_FROM:
            total: NDArray[np.float64] = self.counts @ sums
            return total
        blocks = [slice(start, min(start + _BLOCK_DRAWS, draws)) for start in range(0, draws, _BLOCK_DRAWS)]
        cluster = current_cluster()
        parts: Iterable[NDArray[np.float64]]
        if cluster is not None and self.states and size >= _ON_CLUSTER_FROM:
            items = [(state, rows.stop - rows.start) for state, rows in zip(self.states, blocks, strict=True)]
            parts = cluster.map(_draw_and_sum, items, shared=(sums, count_blas_threads()))
        else:
            parts = (self.counts[rows] @ sums for rows in blocks)
        return np.concatenate(list(parts))

    def _by_image(self, values: NDArray[np.float64], image_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        places = np.searchsorted(self.image_ids, image_ids).clip(0, max(len(self.image_ids) - 1, 0))
        there = self.image_ids[places] == image_ids if len(self.image_ids) else np.zeros(len(values), dtype=bool)
        return np.bincount(places[there], weights=values[there], minlength=len(self.image_ids)).astype(np.float64)


def resample_images(image_ids: NDArray[np.int64], seed: int, resamples: int = 1000) -> ImageResamples:
    """Draw images with replacement, as many as there are, `resamples` times.

    Args:
        image_ids: ids in any order, repeated or not: all images of the evaluation, those without persons included.
        seed: random seed of the draws.
        resamples: R.

    Example:
        >>> resample_images(np.array([7, 7, 9]), seed=0, resamples=100).counts.shape
        (100, 2)
    """
    unique = np.unique(image_ids)
    count = len(unique)
    rng = np.random.default_rng(seed)
    counts, states = np.zeros((resamples, count), dtype=np.float32), []
    for start in range(0, resamples, _BLOCK_DRAWS):
        states.append(rng.bit_generator.state)
        _fill_counts(counts[start : start + _BLOCK_DRAWS], rng)
    return ImageResamples(unique, counts, tuple(states))


def _fill_counts(counts: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Draw for each row of counts (r, M)."""
    count = counts.shape[1]
    for row in counts:
        if count:
            row[:] = np.bincount(rng.integers(0, count, size=count), minlength=count)


def _draw_and_sum(block: tuple[Mapping[str, Any], int], sums: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
    """Return (r, Q), the sums of a block of r draws, in a worker of a cluster."""
    state, draws = block
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    counts = np.zeros((draws, len(sums)), dtype=np.float32)
    _fill_counts(counts, rng)
    with limit_blas_threads(threads):
        total: NDArray[np.float64] = counts @ sums
    return total
