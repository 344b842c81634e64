"""k-means with k chosen by the silhouette, and that silhouette's honest value."""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from posescope.artifacts.devices import DEVICE_PATTERN, resolve_gpu
from posescope.explain.clustering import Clustering, check_finite, sorted_by_size
from posescope.explain.errors import ExplainError
from posescope.explain.kmeans_fit import KMeansFit, fit_kmeans
from posescope.explain.rows import sample_rows
from posescope.explain.silhouettes import measure_silhouettes
from posescope.plugins import Options

__all__ = ["Clustering", "KMeansClusterer", "KMeansOptions"]

_QUICK_RESTARTS, _QUICK_SILHOUETTES = 2, 2000


class KMeansOptions(Options):
    """Numbers of clusters to try, and how hard."""

    smallest: int = Field(2, ge=2, le=100, description="Fewest clusters tried")
    largest: int = Field(10, ge=2, le=100, description="Most clusters tried")
    restarts: int = Field(10, ge=1, le=1000, description="Starts a number of clusters; the tightest result counts")
    start_persons: int = Field(
        10_000, ge=10, description="Starts compete on this many points, at most; the winner then goes on with all of them"
    )
    silhouette_persons: int = Field(
        10_000, ge=10, description="Silhouettes of this many points, at most, each against all points; fewer points: exact"
    )
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="auto (a CUDA GPU where there is one, else the CPU by scikit-learn), cpu, cuda or cuda:1; from the same seed "
        "a GPU draws other starts than the CPU",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "KMeansOptions":
        if self.largest < self.smallest:
            raise ValueError(f"largest ({self.largest}) must not be below smallest ({self.smallest})")
        return self


class KMeansClusterer:
    """Clusterer `kmeans`: tries several k and keeps the one with the highest silhouette."""

    Options = KMeansOptions

    def __init__(self, options: KMeansOptions) -> None:
        self.options = options

    def __call__(self, points: NDArray[np.floating], seed: int = 0) -> Clustering:
        """Divide (N, P) points.

        Raises:
            ExplainError: if there are not more points than the fewest clusters, or a number is NaN or infinite.
            OptionsError: if the device is not there.
        """
        check_finite(points, "kmeans")
        device = resolve_gpu(self.options.device)
        largest = min(self.options.largest, len(points) - 1)
        if largest < self.options.smallest:
            raise ExplainError(f"kmeans: expected more than {self.options.smallest} points, found {len(points)}.")
        counts = range(self.options.smallest, largest + 1)
        fits = fit_kmeans(points, counts, self.options.restarts, self.options.start_persons, seed, device)
        silhouettes = self._silhouettes(points, fits, seed, device)
        best = max(silhouettes, key=lambda k: silhouettes[k])
        labels, centres = sorted_by_size(fits[best].labels, fits[best].centres)
        if len(centres) < 2:
            raise ExplainError(f"kmeans: all {len(points)} points coincide; there is nothing to divide.")
        # Where points coincide, fewer clusters than asked for have points.
        silhouettes |= {len(centres): silhouettes[best]}
        return Clustering(
            labels=labels,
            centres=centres,
            silhouettes=silhouettes,
            inertias={k: fit.inertia for k, fit in fits.items()},
            restart_agreements={k: fit.agreement for k, fit in fits.items() if fit.agreement is not None},
        )

    def quicker(self, clusters: int | None = None) -> "KMeansClusterer":
        """The same with fewer restarts, and only that many clusters if told so."""
        own = self.options
        changes = {
            "restarts": min(_QUICK_RESTARTS, own.restarts),
            "silhouette_persons": min(_QUICK_SILHOUETTES, own.silhouette_persons),
        }
        if clusters is not None:
            changes |= {"smallest": clusters, "largest": clusters}
        return KMeansClusterer(own.model_copy(update=changes))

    def _silhouettes(
        self, points: NDArray[np.floating], fits: dict[int, KMeansFit], seed: int, device: torch.device | None
    ) -> dict[int, float]:
        rows = sample_rows(len(points), self.options.silhouette_persons, seed)
        # Undefined where points coincide: no evidence for clusters.
        divided = {k: fit.labels for k, fit in fits.items() if len(np.unique(fit.labels)) > 1}
        measured = measure_silhouettes(points, list(divided.values()), rows, device) if divided else []
        return {**dict.fromkeys(fits, 0.0), **{k: own.mean for k, own in zip(divided, measured, strict=True)}}
