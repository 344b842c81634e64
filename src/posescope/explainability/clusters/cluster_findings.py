"""Findings, tables and facts of the analysis `clusters`: description and errors of each cluster."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clusters.cluster_contrasts import ClusterErrors
from posescope.explainability.clusters.cluster_descriptions import Trait, Traits
from posescope.explainability.clusters.cluster_members import ClusterMembers
from posescope.explainability.findings import Control, Finding

__all__ = ["NOT_REAL", "cluster_facts", "cluster_names", "cluster_table", "error_findings", "members_table", "trait_findings"]

NOT_REAL = "the clusters are not real, so this is a region of a continuum of persons and not a group of its own"


def cluster_names(sizes: NDArray[np.int64], traits: Traits | None) -> list[str]:
    """Return a name per cluster, such as `cluster 2 (612 persons; sitting or lying, bent hips)`.

    Args:
        sizes: (Q,) persons per cluster.
        traits: traits of the clusters; none: unknown.
    """
    descriptions = [traits.description(cluster) if traits else "" for cluster in range(len(sizes))]
    return [
        f"cluster {number} ({size} persons{'; ' if own else ''}{own})"
        for number, (size, own) in enumerate(zip(sizes, descriptions, strict=True), start=1)
    ]


def trait_findings(traits: Traits, sizes: NDArray[np.int64], shown_in: str) -> list[Finding]:
    """Return a claim per cluster that attributes describe; if they describe none, one claim that failed.

    Args:
        traits: traits of the clusters.
        sizes: (Q,) persons per cluster.
        shown_in: name of the image that shows the clusters.
    """
    found = [
        _trait_finding(f"Cluster {cluster + 1} ({sizes[cluster]} persons) is described by: {_listed(own)}.", own[0], shown_in)
        for cluster, own in enumerate(traits.by_cluster)
        if own
    ]
    if found or traits.strongest is None:
        return found
    claim = f"No measured attribute describes a cluster; the most significant difference: {_listed((traits.strongest,))}."
    return [replace(_trait_finding(claim, traits.strongest, shown_in), passed=False)]


def _listed(traits: tuple[Trait, ...], most: int = 3) -> str:
    return ", ".join(f"{one.description} ({one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}] sd)" for one in traits[:most])


def _trait_finding(claim: str, first: Trait, shown_in: str) -> Finding:
    what = "largest difference of all clusters and attributes, labels permuted"
    control = Control(what, first.chance[1], first.chance[0], first.chance[2])
    value, low, high = first.difference, first.low, first.high
    if value < 0:
        value, low, high = -value, -high, -low
    return Finding(claim, value, low, high, control, passed=True, shown_in=shown_in)


def error_findings(
    errors: ClusterErrors, clustering: Clustering, traits: Traits | None, shown_in: str, *, real: bool
) -> list[Finding]:
    """Return a claim per cluster with a lower PCK than all other persons, the worst first.

    Args:
        errors: errors of the clusters.
        clustering: the clusters.
        traits: traits of the clusters; none: unknown.
        shown_in: name of the image that shows the clusters.
        real: whether the clusters passed the validation.
    """
    names = cluster_names(clustering.sizes, traits)
    if "pck" not in errors.names:
        return []
    pck = errors.names.index("pck")
    found, gaps = errors.contrasts, -errors.contrasts.difference[:, pck]
    chance = errors.largest_gaps[:, pck]
    median, beyond = (float(value) for value in np.quantile(chance, [0.5, 0.95]))
    what = "largest gap of clusters of the same sizes, labels permuted"
    claims = []
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
        control = Control(what, median, float(np.quantile(chance, 0.025)), beyond)
        claims.append(Finding(f"{text}.", float(gap), float(low), float(high), control, passed, shown_in, stake))
    return claims


def _scores(errors: ClusterErrors, cluster: int) -> str:
    found, texts = errors.contrasts, []
    for index, name in enumerate(errors.names):
        inside, rest = found.inside[cluster, index], found.rest[cluster, index]
        low, high = found.inside_low[cluster, index], found.inside_high[cluster, index]
        if np.isfinite([inside, rest, low, high]).all():
            texts.append(f"{name.upper()} {inside:.2f} [{low:.2f}, {high:.2f}] against {rest:.2f} for the rest")
    return ", ".join(texts)


def cluster_table(
    person_ids: NDArray[np.int64],
    clustering: Clustering,
    measured: ClusterMembers,
    traits: Traits | None,
    errors: ClusterErrors | None,
) -> pd.DataFrame:
    """Return a row per cluster: cluster (from 1), persons, fraction, description, silhouette, medoid_person_id, known scores.

    Args:
        person_ids: (N,).
        clustering: clustering of these persons.
        measured: silhouettes and medoids.
        traits: traits of the clusters; none: unknown.
        errors: scores of the clusters; none: unknown.
    """
    count = len(clustering)
    table = pd.DataFrame(
        {
            "cluster": np.arange(1, count + 1),
            "persons": clustering.sizes,
            "fraction": clustering.sizes / len(clustering.labels),
            "description": [traits.description(cluster) if traits else "" for cluster in range(count)],
            "silhouette": [_mean(measured.silhouettes[clustering.labels == cluster]) for cluster in range(count)],
            "medoid_person_id": person_ids[measured.medoids],
        }
    )
    return table if errors is None else pd.concat([table, errors.table()], axis=1)


def members_table(person_ids: NDArray[np.int64], clustering: Clustering, measured: ClusterMembers) -> pd.DataFrame:
    """Return a row per person: person_id, cluster, silhouette (NaN where not measured), distance_to_centre.

    Args:
        person_ids: (N,).
        clustering: clustering of these persons.
        measured: silhouettes and distances.
    """
    return pd.DataFrame(
        {
            "person_id": person_ids,
            "cluster": clustering.labels + 1,
            "silhouette": measured.silhouettes,
            "distance_to_centre": measured.distance_to_centre,
        }
    )


def cluster_facts(table: pd.DataFrame) -> dict[str, float | int | str | None]:
    """Return the number of the cluster with the lowest PCK, and its PCK; none if no PCK is known."""
    if "mean_pck" not in table or table["mean_pck"].isna().all():
        return {"worst_cluster": None, "worst_cluster_pck": None}
    worst = table.iloc[int(np.nanargmin(table["mean_pck"].to_numpy(dtype=np.float64)))]
    return {"worst_cluster": int(worst["cluster"]), "worst_cluster_pck": float(worst["mean_pck"])}


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
