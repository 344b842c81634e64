"""A mixture of Gaussians: clusters may differ in width, and may lie inside one another; their number follows from the BIC.

The Bayesian information criterion (Schwarz, 1978) weighs how well a mixture explains the points against its number of
parameters; it does not ask for gaps between clusters, as the silhouette does. Covariances are diagonal: along principal
components the points as a whole have no others.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from sklearn.mixture import GaussianMixture as Mixture

from posescope.core.plugins import Options
from posescope.explainability.clustering.base import Clustering, check_finite, sort_by_size
from posescope.explainability.clustering.silhouettes import measure_silhouettes
from posescope.explainability.clustering.thread_pool import map_in_threads
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import centred_blocks, sample_rows

__all__ = ["GaussianMixture", "GaussianMixtureOptions"]

_LEAST_VARIANCE = 1e-4  # of a cluster along an axis, as a share of the points' mean: copies of one person are no cluster


class GaussianMixtureOptions(Options):
    """Numbers of clusters to try, and how hard."""

    smallest: int = Field(2, ge=2, le=100, description="Fewest clusters tried")
    largest: int = Field(10, ge=2, le=100, description="Most clusters tried")
    restarts: int = Field(3, ge=1, le=1000, description="Starts a number of clusters, each from a k-means; the likeliest counts")
    fitted_persons: int = Field(10_000, ge=10, description="Mixtures are fitted to this many points, at most; all are labelled")
    silhouette_persons: int = Field(10_000, ge=10, description="Silhouettes of this many points, at most, each against all")

    @model_validator(mode="after")
    def _in_order(self) -> "GaussianMixtureOptions":
        if self.largest < self.smallest:
            raise ValueError(f"largest ({self.largest}) must not be below smallest ({self.smallest})")
        return self


class GaussianMixture:
    """Clusterer `gaussian_mixture`: tries several numbers of clusters and keeps the one with the lowest BIC."""

    Options = GaussianMixtureOptions

    def __init__(self, options: GaussianMixtureOptions) -> None:
        self.options = options

    def __call__(self, points: NDArray[np.floating], seed: int = 0) -> Clustering:
        """Divide (N, P) points; each goes to its likeliest cluster.

        Raises:
            ExplainError: if there are not more points than the fewest clusters, one cluster takes all, or a number is NaN or
                infinite.
        """
        check_finite(points, "gaussian_mixture")
        largest = min(self.options.largest, len(points) - 1)
        if largest < self.options.smallest:
            raise ExplainabilityError(
                f"gaussian_mixture: expected more than {self.options.smallest} points, found {len(points)}."
            )
        middle = points.mean(axis=0, dtype=np.float64)
        sample = points[sample_rows(len(points), self.options.fitted_persons, seed)] - middle
        counts = range(self.options.smallest, largest + 1)
        mixtures = map_in_threads(lambda count: self._fit(sample, count, seed), counts, "mixtures")
        found = {count: _predict(mixture, points, middle) for count, mixture in zip(counts, mixtures, strict=True)}
        divided = {count: labels for count, labels in found.items() if len(np.unique(labels)) == count}
        if not divided:
            raise ExplainabilityError(
                f"gaussian_mixture: no mixture divides the {len(points)} points into as many clusters as it has."
            )
        bic = {count: mixture.bic(sample) for count, mixture in zip(counts, mixtures, strict=True)}
        best = min(divided, key=lambda count: bic[count])
        middles = np.stack([points[divided[best] == cluster].mean(axis=0, dtype=np.float64) for cluster in range(best)])
        labels, centres = sort_by_size(divided[best], middles)
        rows = sample_rows(len(points), self.options.silhouette_persons, seed)
        measured = measure_silhouettes(points, list(divided.values()), rows)
        return Clustering(labels, centres, {count: own.mean for count, own in zip(divided, measured, strict=True)})

    def quicker(self, clusters: int | None = None) -> "GaussianMixture":
        """The same with one start and fewer persons, and only that many clusters if told so."""
        changes = {"restarts": 1, "silhouette_persons": min(2000, self.options.silhouette_persons)}
        if clusters is not None:
            changes |= {"smallest": clusters, "largest": clusters}
        return GaussianMixture(self.options.model_copy(update=changes))

    def _fit(self, points: NDArray[np.float64], count: int, seed: int) -> Mixture:
        least = max(_LEAST_VARIANCE * float(points.var(axis=0).mean()), np.finfo(np.float64).tiny)
        mixture = Mixture(
            count, covariance_type="diag", n_init=self.options.restarts, reg_covar=least, max_iter=500, random_state=seed
        )
        return mixture.fit(points)


def _predict(mixture: Mixture, points: NDArray[np.floating], middle: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) the likeliest cluster of each of (N, P) points; a mixture squares all that it is given, so it is given blocks."""
    return np.concatenate([mixture.predict(block) for _, block in centred_blocks(points, middle, np.float64)])
