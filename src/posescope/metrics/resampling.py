"""Resampling of images: how sure an average over people is when those of one photograph are alike (Efron, 1979; in clusters).

    images   a  b  c              drawn with replacement, as many as there are; everybody in an image comes with it
    draw 1   2  0  1     ->  mean = (2 sum_a + 0 sum_b + 1 sum_c) / (2 n_a + 0 n_b + 1 n_c)

What is averaged is summed once an image; a draw then is a product of its counts with those sums, so a thousand draws of thousands
of people take milliseconds, and several figures (or two runs) see the same draws.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.metrics.confidence import Interval

__all__ = ["ImageDraws", "draw_images"]


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
