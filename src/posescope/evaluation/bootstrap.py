"""How sure an average is: bootstrap percentile intervals (Efron, 1979) over persons."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "bootstrap_difference", "bootstrap_mean", "ImageDraws", "draw_images"]

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


# MERGED from resampling: Resampling of images: how sure an average over people is when those of one photograph are alike
# (Efron, 1979; in clusters).
#
#     images   a  b  c              drawn with replacement, as many as there are; everybody in an image comes with it
#     draw 1   2  0  1     ->  mean = (2 sum_a + 0 sum_b + 1 sum_c) / (2 n_a + 0 n_b + 1 n_c)
#
# What is averaged is summed once an image; a draw then is a product of its counts with those sums, so a thousand draws of
# thousands
# of people take milliseconds, and several figures (or two runs) see the same draws.


@dataclass(frozen=True)
class ImageDraws:
    """R draws of M images.

    Attributes:
        image_ids: (M,) ascending.
        counts: (R, M) float32, whole numbers: how often each image is in each draw; rows sum to M.
    """

    image_ids: NDArray[np.int64]
    counts: NDArray[np.float32]

    def means(self, values: NDArray[np.float64], image_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """(R,) the mean of (n,) values in each draw; NaN values do not count, and a draw without any is NaN.

        Args:
            values: one a person, or one a joint.
            image_ids: (n,) the image that each belongs to; one that was not drawn from counts as never drawn.
        """
        known = ~np.isnan(values)
        return self.ratios(np.where(known, values, 0.0), known.astype(np.float64), image_ids)

    def ratios(
        self, numerators: NDArray[np.float64], denominators: NDArray[np.float64], image_ids: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Ratios of sums in each draw, NaN where the lower sum is 0. As `means`.

        Args:
            numerators, denominators: (n,), or (n, Q) for Q ratios at once; no NaN.
            image_ids: (n,) the image that each row belongs to.

        Returns:
            (R,), or (R, Q).
        """
        columns = [np.atleast_2d(values.T) for values in (numerators, denominators)]
        sums = np.stack([self._by_image(column, image_ids) for part in columns for column in part], axis=1)
        over, under = np.split(self.counts @ sums, 2, axis=1)
        ratios: NDArray[np.float64] = np.full(over.shape, np.nan)
        np.divide(over, under, out=ratios, where=under > 0)
        return ratios.reshape(len(ratios), *numerators.shape[1:])

    def interval(self, estimate: float, drawn: NDArray[np.float64], level: float = 0.95) -> Interval:
        """The percentile interval of (R,) values about the estimate; draws without a value are left out.

        Where there is no estimate, or not one draw has a value, low and high are NaN.
        """
        known = drawn[~np.isnan(drawn)]
        if np.isnan(estimate) or not len(known):
            return Interval(estimate, float("nan"), float("nan"))
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return Interval(estimate, float(low), float(high))

    def mean_interval(self, values: NDArray[np.float64], image_ids: NDArray[np.int64], level: float = 0.95) -> Interval:
        """The mean of (n,) values with its interval."""
        known = values[~np.isnan(values)]
        estimate = float(known.mean()) if len(known) else float("nan")
        return self.interval(estimate, self.means(values, image_ids), level)

    def _by_image(self, values: NDArray[np.float64], image_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        places = np.searchsorted(self.image_ids, image_ids).clip(0, max(len(self.image_ids) - 1, 0))
        there = self.image_ids[places] == image_ids if len(self.image_ids) else np.zeros(len(values), dtype=bool)
        return np.bincount(places[there], weights=values[there], minlength=len(self.image_ids)).astype(np.float64)


def draw_images(image_ids: NDArray[np.int64], seed: int, resamples: int = 1000) -> ImageDraws:
    """Draw as many images as there are, with replacement, `resamples` times.

    Args:
        image_ids: in any order, repeated or not: all images that belong to the evaluation, also those without a person.
        seed: of the draws.
        resamples: R.
    """
    unique = np.unique(image_ids)
    count = len(unique)
    rng = np.random.default_rng(seed)
    counts = np.zeros((resamples, count), dtype=np.float32)
    for row in counts:
        if count:
            row[:] = np.bincount(rng.integers(0, count, size=count), minlength=count)
    return ImageDraws(unique, counts)
