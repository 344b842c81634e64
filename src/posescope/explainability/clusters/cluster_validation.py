"""Are the clusters real: better than in clouds without clusters, and found again in halves of the photographs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Options
from posescope.evaluation.bootstrap import Interval
from posescope.explainability.clustering.base import Clusterer, Clustering, quick_variant
from posescope.explainability.clustering.silhouettes import LOW_SILHOUETTE, describe_structure
from posescope.explainability.clusters.null_reference import NullDraw, cluster_null_data, fit_null_model
from posescope.explainability.clusters.split_half_stability import STABLE_AGREEMENT, split_half_agreements
from posescope.explainability.findings import Control, Finding

__all__ = ["ClusterValidation", "ClusterValidationOptions", "validate_clusters"]


class ClusterValidationOptions(Options):
    """What the clusters are held against."""

    null_draws: int = Field(4, ge=2, le=1000, description="Clouds without clusters, of each kind, that are clustered as control")
    null_persons: int = Field(2000, ge=10, description="Points a cloud, and persons that are halved, at most")
    stability_splits: int = Field(10, ge=1, le=1000, description="Random splits into halves of the photographs, for stability")


@dataclass(frozen=True)
class ClusterValidation:
    """The evidence for a division into Q clusters.

    Attributes:
        clustering: the division.
        silhouette: mean over persons, with the interval over photographs.
        agreements: (S,) adjusted Rand index between the divisions of two halves of as many persons as a cloud has points, a
            number a split; may be empty.
        null: what clustering made of clouds without clusters.
    """

    clustering: Clustering
    silhouette: Interval
    agreements: NDArray[np.float64]
    null: list[NullDraw]

    @property
    def null_silhouettes(self) -> NDArray[np.float64]:
        """(draws,) of each cloud, divided into as many clusters."""
        return np.array([draw.silhouette for draw in self.null])

    @property
    def null_agreements(self) -> NDArray[np.float64]:
        """(draws at most,) of the halves of each cloud."""
        return np.array([draw.agreement for draw in self.null if draw.agreement is not None])

    @property
    def agreement(self) -> float | None:
        """Mean over the splits; none where there is no split."""
        return float(self.agreements.mean()) if len(self.agreements) else None

    @property
    def beats_null(self) -> bool:
        """Whether the silhouette's whole interval lies above every cloud's."""
        return bool(self.silhouette.low > self.null_silhouettes.max())

    @property
    def is_stable(self) -> bool:
        """Whether halves agree as well as recovered clusters do."""
        return self.agreement is not None and self.agreement >= STABLE_AGREEMENT

    @property
    def is_real(self) -> bool:
        """Both."""
        return self.beats_null and self.is_stable

    @property
    def verdict(self) -> str:
        """In three words or so."""
        if self.is_real:
            return "real clusters"
        return "unstable clusters" if self.beats_null else "a cut through a continuum"

    def table(self) -> pd.DataFrame:
        """A row a number of clusters tried: clusters, silhouette, null_low, null_high, inertia, restart_agreement (or NaN)."""
        tried = {**self.clustering.silhouettes}
        tried.setdefault(len(self.clustering), self.silhouette.estimate)
        records = []
        for count in sorted(tried):
            null = [draw.silhouettes[count] for draw in self.null if count in draw.silhouettes]
            records.append(
                {
                    "clusters": count,
                    "silhouette": tried[count],
                    "null_low": min(null, default=float("nan")),
                    "null_high": max(null, default=float("nan")),
                    "inertia": self.clustering.inertias.get(count, float("nan")),
                    "restart_agreement": self.clustering.restart_agreements.get(count, float("nan")),
                }
            )
        return pd.DataFrame(records)

    def facts(self) -> dict[str, float | int | str | None]:
        """Numbers by name."""
        null = self.null_silhouettes
        return {
            "clusters": len(self.clustering),
            "silhouette": self.silhouette.estimate,
            "silhouette_low": self.silhouette.low,
            "silhouette_high": self.silhouette.high,
            "structure": describe_structure(self.silhouette.estimate),
            "null_silhouette": float(null.mean()),
            "null_silhouette_low": float(null.min()),
            "null_silhouette_high": float(null.max()),
            "split_half_agreement": self.agreement,
            "restart_agreement": self.clustering.restart_agreements.get(len(self.clustering)),
            "verdict": self.verdict,
        }

    def describe(self) -> str:
        """One sentence with the numbers."""
        count, own, null = len(self.clustering), self.silhouette, self.null_silhouettes
        measured = f"silhouette {own.estimate:.3f} [{own.low:.3f}, {own.high:.3f}], in size {describe_structure(own.estimate)}"
        clouds = f"clouds of the same spread without clusters, divided likewise, reach {null.min():.3f} to {null.max():.3f}"
        stability_splits = "there are not enough photographs to compare halves"
        if self.agreement is not None:
            stability_splits = f"halves of the photographs agree on it with an adjusted Rand index of {self.agreement:.2f}"
        if self.is_real:
            touching = ", which touch" if own.estimate <= LOW_SILHOUETTE else ""
            return f"The persons fall into {count} real clusters{touching} ({measured}): {clouds}, and {stability_splits}."
        best = f"the best division, into {count} ({measured})"
        if self.beats_null:
            return f"There are no real clusters: {best}, stands out ({clouds}), but is not stable: {stability_splits} ({STABLE_AGREEMENT} would be)."
        return f"There are no real clusters, only a cut through a continuum: {best}, is no better than chance: {clouds}; {stability_splits}."

    def findings(self, shown_in: str) -> list[Finding]:
        """That the clusters are real, and that they are stable."""
        null = self.null_silhouettes
        clouds = (
            f"{len(null)} clouds of the same spread without clusters, Gaussian, uniform and as skewed as the persons, "
            f"divided into {len(self.clustering)}"
        )
        control = Control(clouds, float(null.mean()), float(null.min()), float(null.max()))
        own = self.silhouette
        found = [Finding(self.describe(), own.estimate, own.low, own.high, control, self.is_real, shown_in)]
        return found if self.agreement is None or not len(self.null_agreements) else [*found, self._stability(shown_in)]

    def _stability(self, shown_in: str) -> Finding:
        null, agreement, count = self.null_agreements, float(self.agreements.mean()), len(self.clustering)
        control = Control(
            f"halves of clouds of as many points without clusters, divided into {count}",
            float(null.mean()),
            float(null.min()),
            float(null.max()),
        )
        passed = bool(self.is_stable and agreement > null.max())
        verdict = "find the same" if self.is_stable else "do not find the same"
        claim = f"Two halves of the photographs {verdict} {count} clusters: adjusted Rand index {agreement:.2f}"
        if self.is_stable and not passed:
            claim += f"; but so they do where there are none (up to {null.max():.2f}): the widest directions alone fix the cut"
        low, high = np.quantile(self.agreements, [0.025, 0.975])
        return Finding(f"{claim}.", agreement, float(low), float(high), control, passed, shown_in)


def validate_clusters(
    points: NDArray[np.floating],
    groups: NDArray[np.int64],
    clusterer: Clusterer,
    clustering: Clustering,
    silhouette: Interval,
    options: ClusterValidationOptions,
    seed: int,
) -> ClusterValidation:
    """Gather the evidence for and against a division.

    Args:
        points: (N, P).
        groups: (N,) the photograph of each.
        clusterer: that divided the points.
        clustering: how.
        silhouette: of the division, with its interval.
        options: how much is drawn.
        seed: of the draws.
    """
    count = min(len(points), options.null_persons)
    null = cluster_null_data(fit_null_model(points, seed), count, clusterer, len(clustering), options.null_draws, seed)
    same = quick_variant(clusterer, len(clustering))
    stability_splits = split_half_agreements(points, groups, same, len(clustering), options.stability_splits, seed, persons=count)
    return ClusterValidation(clustering, silhouette, stability_splits, null)
