"""Cluster validation: silhouettes against null reference data, and split-half stability."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Options
from posescope.evaluation.bootstrap import Interval
from posescope.explainability.base import Facts
from posescope.explainability.clustering.base import Clusterer, Clustering, quick_variant
from posescope.explainability.clustering.silhouettes import LOW_SILHOUETTE, describe_structure
from posescope.explainability.clusters.null_reference import NullDraw, cluster_null_data, fit_null_model
from posescope.explainability.clusters.split_half_stability import STABLE_AGREEMENT, split_half_agreements
from posescope.explainability.findings import Finding, finding_from_claim, range_control

__all__ = ["ClusterValidation", "ClusterValidationOptions", "validate_clusters"]


class ClusterValidationOptions(Options):
    """Effort of the controls."""

    null_draws: int = Field(4, ge=2, le=1000, description="Samples of null reference data per kind")
    null_persons: int = Field(2000, ge=10, description="Points per sample of null data; maximum number of persons per split")
    stability_splits: int = Field(10, ge=1, le=1000, description="Random splits of the images into halves")


@dataclass(frozen=True)
class ClusterValidation:
    """Evidence for Q clusters.

    Attributes:
        clustering: the clusters.
        silhouette: mean over persons, with its interval over images.
        agreements: (S,) adjusted Rand index of each split into halves; as many persons as a sample of null data has points, so
            that both are comparable. May be empty.
        null: clusterings of null reference data.
    """

    clustering: Clustering
    silhouette: Interval
    agreements: NDArray[np.float64]
    null: list[NullDraw]

    @property
    def null_silhouettes(self) -> NDArray[np.float64]:
        """(draws,) silhouettes of null data with the same number of clusters."""
        return np.array([draw.silhouette for draw in self.null])

    @property
    def null_agreements(self) -> NDArray[np.float64]:
        """Split-half agreements of null data, where they are defined."""
        return np.array([draw.agreement for draw in self.null if draw.agreement is not None])

    @property
    def agreement(self) -> float | None:
        """Mean split-half agreement; none without a split."""
        return float(self.agreements.mean()) if len(self.agreements) else None

    @property
    def beats_null(self) -> bool:
        """Whether the whole interval of the silhouette is above all null data."""
        return bool(self.silhouette.low > self.null_silhouettes.max())

    @property
    def is_stable(self) -> bool:
        """Whether the split-half agreement reaches that of recovered clusters."""
        return self.agreement is not None and self.agreement >= STABLE_AGREEMENT

    @property
    def is_real(self) -> bool:
        """Whether the silhouette is above null data and the clusters are stable."""
        return self.beats_null and self.is_stable

    @property
    def verdict(self) -> str:
        """Short description of the result."""
        if self.is_real:
            return "real clusters"
        return "unstable clusters" if self.beats_null else "a cut through a continuum"

    def table(self) -> pd.DataFrame:
        """Return a row per number of clusters: clusters, silhouette, null_low, null_high, inertia, restart_agreement (or NaN)."""
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

    def facts(self) -> Facts:
        """Return the numbers by name."""
        null = self.null_silhouettes
        return {
            "clusters": len(self.clustering),
            **self.silhouette.columns("silhouette"),
            "structure": describe_structure(self.silhouette.estimate),
            "null_silhouette": float(null.mean()),
            "null_silhouette_low": float(null.min()),
            "null_silhouette_high": float(null.max()),
            "split_half_agreement": self.agreement,
            "restart_agreement": self.clustering.restart_agreements.get(len(self.clustering)),
            "verdict": self.verdict,
        }

    def describe(self) -> str:
        """Return one sentence with the result and its numbers."""
        count, own, null = len(self.clustering), self.silhouette, self.null_silhouettes
        measured = f"a silhouette of {own:.3f}"
        control = f"for null reference data with the same covariance ({null.min():.3f} to {null.max():.3f})"
        guideline = f"By common guidelines a silhouette of this size indicates {describe_structure(own.estimate)}."
        stability = "There are too few images for a split-half comparison."
        if self.agreement is not None:
            verb = "agree" if self.is_stable else "do not agree sufficiently"
            needed = "" if self.is_stable else f", {STABLE_AGREEMENT} is needed"
            null_high = f"; null reference data: up to {self.null_agreements.max():.2f}" if len(self.null_agreements) else ""
            stability = (
                f"Clusterings of two halves of the images {verb} (adjusted Rand index {self.agreement:.2f}{needed}{null_high})."
            )
        if self.is_real:
            separation = " with low separation" if own.estimate <= LOW_SILHOUETTE else ""
            return (
                f"Clustering finds {count} clusters{separation}: {measured}. This is higher than {control}. "
                f"{guideline} {stability}"
            )
        if self.beats_null:
            return (
                f"There is no evidence of stable clusters: the best clustering has {count} clusters and {measured}, which is "
                f"higher than {control}, but it is not shown to be stable. {guideline} {stability}"
            )
        return (
            f"There is no evidence of clusters, only of a continuum: the best clustering has {count} clusters and {measured}, "
            f"which is not higher than {control}. {guideline} {stability}"
        )

    def findings(self, picture: str) -> list[Finding]:
        """Return the claims that the clusters are real and that they are stable.

        Args:
            picture: name of the image that shows the clusters.
        """
        own, what = self.silhouette, "samples of null data of the same covariance without clusters (Gaussian, uniform, skewed)"
        control = range_control(f"{len(self.null)} {what}, clustered into {len(self.clustering)}", self.null_silhouettes)
        found = [finding_from_claim(self.describe(), own, control, passed=self.is_real, picture=picture)]
        return found if self.agreement is None or not len(self.null_agreements) else [*found, self._stability(picture)]

    def _stability(self, picture: str) -> Finding:
        null, agreement, count = self.null_agreements, float(self.agreements.mean()), len(self.clustering)
        control = range_control(f"split halves of null data of the same size, clustered into {count}", null)
        passed = bool(self.is_stable and agreement > null.max())
        verdict = "agree" if self.is_stable else "do not agree"
        claim = f"Clusterings of two halves of the images {verdict} on {count} clusters: adjusted Rand index {agreement:.2f}"
        if self.is_stable and not passed:
            claim = (
                f"The agreement of the clusterings of two halves of the images (adjusted Rand index {agreement:.2f}) is not "
                f"evidence for clusters: null reference data with the same covariance reach up to {null.max():.2f}, since "
                "the partition follows the directions of largest variance"
            )
        low, high = np.quantile(self.agreements, [0.025, 0.975])
        return finding_from_claim(
            f"{claim}.", Interval(agreement, float(low), float(high)), control, passed=passed, picture=picture
        )


def validate_clusters(
    points: NDArray[np.floating],
    groups: NDArray[np.int64],
    clusterer: Clusterer,
    clustering: Clustering,
    silhouette: Interval,
    options: ClusterValidationOptions,
    seed: int,
) -> ClusterValidation:
    """Compare clusters with null reference data and between halves of the images.

    Args:
        points: (N, P).
        groups: (N,) the image of each.
        clusterer: clusterer of the points.
        clustering: its result.
        silhouette: mean silhouette of the result, with its interval.
        options: effort of the controls.
        seed: random seed.
    """
    count = min(len(points), options.null_persons)
    null = cluster_null_data(fit_null_model(points, seed), count, clusterer, len(clustering), options.null_draws, seed)
    same = quick_variant(clusterer, len(clustering))
    agreements = split_half_agreements(
        points, groups, same, len(clustering), options.stability_splits, seed, persons=count
    )  # fmt: skip
    return ClusterValidation(clustering, silhouette, agreements, null)
