"""Findings, tables and facts of the analysis `clusters`: description and errors of each cluster."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.base import Facts
from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clusters.cluster_contrasts import ClusterErrors
from posescope.explainability.clusters.cluster_descriptions import Trait, Traits
from posescope.explainability.clusters.cluster_members import ClusterMembers
from posescope.explainability.findings import Control, Finding, finding_from_claim

__all__ = ["NOT_REAL", "DescribedClusters"]

NOT_REAL = "the clusters are not supported, so this is a region of a continuum of persons and not a group of its own"


@dataclass(frozen=True)
class DescribedClusters:
    """Clusters of N persons with their description and their errors.

    Attributes:
        person_ids: (N,).
        clustering: the clusters.
        members: silhouettes, distances and medoids.
        traits: attributes that describe the clusters.
        errors: scores of the clusters.
    """

    person_ids: NDArray[np.int64]
    clustering: Clustering
    members: ClusterMembers
    traits: Traits
    errors: ClusterErrors

    def descriptions(self) -> list[str]:
        """Return the description of each cluster, '' without traits."""
        return [self.traits.description(cluster) for cluster in range(len(self.clustering))]

    def names(self) -> list[str]:
        """Return a name per cluster, such as `cluster 2 (612 persons; sitting or lying, bent hips)`."""
        return [
            f"cluster {number} ({size} persons{'; ' if own else ''}{own})"
            for number, (size, own) in enumerate(zip(self.clustering.sizes, self.descriptions(), strict=True), start=1)
        ]

    def trait_findings(self, picture: str) -> list[Finding]:
        """Return a claim per cluster that attributes describe; if they describe none, one claim that failed."""
        found = [
            _trait_finding(
                f"Cluster {number} ({size} persons) differs from all other persons in the following attributes (difference in "
                f"standard deviations): {_listed(own)}.",
                own[0],
                picture,
            )
            for number, (size, own) in enumerate(zip(self.clustering.sizes, self.traits.by_cluster, strict=True), start=1)
            if own
        ]
        strongest = self.traits.strongest
        if found or strongest is None:
            return found
        claim = (
            "No measured attribute describes a cluster; the most significant difference (in standard deviations): "
            f"{_listed((strongest,))}."
        )
        return [_trait_finding(claim, strongest, picture).as_unclear()]

    def error_findings(self, picture: str, *, real: bool) -> list[Finding]:
        """Return a claim per cluster with a lower PCK than all other persons, the worst first.

        Args:
            picture: name of the image that shows the clusters.
            real: whether the clusters passed the validation.
        """
        errors, pck = self.errors, self.errors.names.index("pck")
        found, gaps = errors.contrasts, -errors.contrasts.difference[:, pck]
        lowest, median, beyond = (float(value) for value in np.quantile(errors.largest_gaps[:, pck], [0.025, 0.5, 0.95]))
        control = Control("largest gap of clusters of the same sizes, labels permuted", median, lowest, beyond)
        claims, names = [], self.names()
        for cluster in np.argsort(-gaps):
            gap, low, high = gaps[cluster], -found.high[cluster, pck], -found.low[cluster, pck]
            if not np.isfinite([gap, low, high]).all() or gap <= 0:
                continue
            passed = bool(low > 0 and gap > beyond)
            text = f"{names[cluster].capitalize()}: {_scores(errors, int(cluster))}"
            if not passed:
                text += f"; a gap of {gap:.3f} is within the range of the control"
            elif not real:
                text += f"; {NOT_REAL}"
            stake = float(errors.fractions[cluster] * gap) if passed else 0.0
            measured = Interval(float(gap), float(low), float(high))
            claims.append(finding_from_claim(f"{text}.", measured, control, passed=passed, picture=picture, importance=stake))
        return claims

    def table(self) -> pd.DataFrame:
        """Return a row per cluster: cluster (from 1), persons, fraction, description, silhouette, medoid_person_id, scores."""
        labels, count = self.clustering.labels, len(self.clustering)
        table = pd.DataFrame(
            {
                "cluster": np.arange(1, count + 1),
                "persons": self.clustering.sizes,
                "fraction": self.clustering.sizes / len(labels),
                "description": self.descriptions(),
                "silhouette": [_mean(self.members.silhouettes[labels == cluster]) for cluster in range(count)],
                "medoid_person_id": self.person_ids[self.members.medoids],
            }
        )
        return pd.concat([table, self.errors.table()], axis=1)

    def members_table(self) -> pd.DataFrame:
        """Return a row per person: person_id, cluster, silhouette (NaN where not measured), distance_to_centre."""
        return pd.DataFrame(
            {
                "person_id": self.person_ids,
                "cluster": self.clustering.labels + 1,
                "silhouette": self.members.silhouettes,
                "distance_to_centre": self.members.distance_to_centre,
            }
        )

    def facts(self) -> Facts:
        """Return the number of the cluster with the lowest PCK, and its PCK; none if no PCK is known."""
        table = self.table()
        if table["mean_pck"].isna().all():
            return {"worst_cluster": None, "worst_cluster_pck": None}
        worst = table.iloc[int(np.nanargmin(table["mean_pck"].to_numpy(dtype=np.float64)))]
        return {"worst_cluster": int(worst["cluster"]), "worst_cluster_pck": float(worst["mean_pck"])}


def _listed(traits: tuple[Trait, ...], most: int = 3) -> str:
    return ", ".join(f"{one.description} ({one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}])" for one in traits[:most])


def _trait_finding(claim: str, first: Trait, picture: str) -> Finding:
    what = "largest difference over all clusters and attributes with permuted labels, scaled to the size of this cluster"
    control = Control(what, first.chance[1], first.chance[0], first.chance[2])
    value, low, high = first.difference, first.low, first.high
    if value < 0:
        value, low, high = -value, -high, -low
    return finding_from_claim(claim, Interval(value, low, high), control, passed=True, picture=picture)


def _scores(errors: ClusterErrors, cluster: int) -> str:
    found, texts = errors.contrasts, []
    for index, name in enumerate(errors.names):
        inside, rest = found.inside[cluster, index], found.rest[cluster, index]
        low, high = found.inside_low[cluster, index], found.inside_high[cluster, index]
        if np.isfinite([inside, rest, low, high]).all():
            texts.append(f"{name.upper()} {inside:.2f} [{low:.2f}, {high:.2f}] against {rest:.2f} for the rest")
    return ", ".join(texts)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
