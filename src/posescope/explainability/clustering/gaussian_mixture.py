"""Gaussian mixtures: clusters may differ in width and may overlap; the number of clusters is selected by the BIC.

The Bayesian information criterion (Schwarz, 1978) trades the likelihood against the number of parameters. Unlike the silhouette
it does not require gaps between clusters. Covariances are diagonal, as that of all points is along principal components.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.mixture import GaussianMixture as Mixture

from posescope.core.plugins import Component
from posescope.explainability.clustering.base import ClustererOptions, Clustering, sort_by_size
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.clustering.thread_pool import map_in_threads
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import centred_blocks, sample_rows

__all__ = ["GaussianMixture", "GaussianMixtureOptions"]

_MIN_VARIANCE = 1e-4  # of a cluster along an axis, as a fraction of the points' mean variance: copies of one point are no cluster


class GaussianMixtureOptions(ClustererOptions):
    """Range of the number of clusters and effort."""

    restarts: int = Field(
        3, ge=1, le=1000, description="Starts per number of clusters, each from k-means; the highest likelihood is kept"
    )


class GaussianMixture(Component[GaussianMixtureOptions]):
    """Clusterer `gaussian_mixture`."""

    def __call__(self, points: NDArray[np.floating], seed: int = 0) -> Clustering:
        """Fit a mixture for every number of clusters and label the points by the one with the lowest BIC.

        Args:
            points: (N, P).
            seed: random seed of the starts and of the samples.

        Raises:
            ExplainabilityError: if there are no more points than the smallest number of clusters, no mixture has a point in each
                of its clusters, or a value is NaN or infinite.
        """
        found, bic = self._fit_range(points, seed, None)
        best = min(found, key=lambda count: bic[count])
        rows = sample_rows(len(points), self.options.silhouette_persons, seed)
        measured = measure_silhouettes(points, [clustering.labels for clustering in found.values()], rows)
        return replace(found[best], silhouettes={count: own.mean for count, own in zip(found, measured, strict=True)})

    def cluster_range(
        self, points: NDArray[np.floating], seed: int = 0, counts: Iterable[int] | None = None
    ) -> dict[int, Clustering]:
        """Fit a mixture for every number of clusters; those that leave a cluster empty are left out.

        Args:
            points: (N, P).
            seed: random seed of the starts and of the sample.
            counts: numbers of clusters; none: the range of the options.

        Raises:
            ExplainabilityError: see `__call__`.
        """
        return self._fit_range(points, seed, counts)[0]

    def _fit_range(
        self, points: NDArray[np.floating], seed: int, counts: Iterable[int] | None
    ) -> tuple[dict[int, Clustering], dict[int, float]]:
        """Clusterings and BIC by number of clusters."""
        numbers = list(self.options.counts_for(points, "gaussian_mixture") if counts is None else counts)
        mean = points.mean(axis=0, dtype=np.float64)
        sample = points[sample_rows(len(points), self.options.start_persons, seed)] - mean
        mixtures = map_in_threads(lambda count: self._fit(sample, count, seed), numbers, "mixtures")
        found = {count: _predict(mixture, points, mean) for count, mixture in zip(numbers, mixtures, strict=True)}
        complete = {count: labels for count, labels in found.items() if len(np.unique(labels)) == count}
        if not complete:
            raise ExplainabilityError(f"gaussian_mixture: no mixture has a point of the {len(points)} in each of its clusters.")
        bic = {count: mixture.bic(sample) for count, mixture in zip(numbers, mixtures, strict=True)}
        return {count: _with_means(points, labels, count) for count, labels in complete.items()}, bic

    def _fit(self, points: NDArray[np.float64], count: int, seed: int) -> Mixture:
        least = max(_MIN_VARIANCE * float(points.var(axis=0).mean()), np.finfo(np.float64).tiny)
        mixture = Mixture(
            count, covariance_type="diag", n_init=self.options.restarts, reg_covar=least, max_iter=500, random_state=seed
        )
        return mixture.fit(points)


def _with_means(points: NDArray[np.floating], labels: NDArray[np.int64], count: int) -> Clustering:
    means = np.stack([points[labels == cluster].mean(axis=0, dtype=np.float64) for cluster in range(count)])
    return Clustering(*sort_by_size(labels, means))


def _predict(mixture: Mixture, points: NDArray[np.floating], mean: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) the likeliest cluster of each of (N, P) points, block by block, since a mixture squares all that it is given."""
    return np.concatenate([mixture.predict(block) for _, block in centred_blocks(points, mean, np.float64)])
