"""What the analysis `clusters` claims of each cluster: what its persons have in common, and how much worse the model does."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clusters.cluster_contrasts import ClusterErrors
from posescope.explainability.clusters.cluster_descriptions import Trait, Traits
from posescope.explainability.clusters.cluster_members import ClusterMembers
from posescope.explainability.findings import Control, Finding

__all__ = ["NOT_REAL", "cluster_names", "error_findings", "trait_findings", "cluster_facts", "cluster_table", "members_table"]

NOT_REAL = "the clusters are not real ones, so read this as a region among all persons and not as a kind of them"


def cluster_names(sizes: NDArray[np.int64], traits: Traits | None) -> list[str]:
    """`cluster 2 (612 persons; sitting or lying, bent hips)`."""
    words = [f"; {traits.words(cluster)}" if traits and traits.words(cluster) else "" for cluster in range(len(sizes))]
    return [f"cluster {place} ({size} persons{own})" for place, (size, own) in enumerate(zip(sizes, words, strict=True), start=1)]


def trait_findings(traits: Traits, sizes: NDArray[np.int64], shown_in: str) -> list[Finding]:
    """A claim a cluster that the attributes set apart; where they set none apart, one claim that failed."""
    found = [
        _trait_finding(f"What sets cluster {cluster + 1} ({sizes[cluster]} persons) apart: {_listed(told)}.", told[0], shown_in)
        for cluster, told in enumerate(traits.told)
        if told
    ]
    if found or traits.strongest is None:
        return found
    claim = f"No measured attribute sets a cluster apart for certain; the nearest to it: {_listed((traits.strongest,))}."
    return [replace(_trait_finding(claim, traits.strongest, shown_in), passed=False)]


def _listed(told: tuple[Trait, ...], most: int = 3) -> str:
    return ", ".join(f"{one.words} ({one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}] sd)" for one in told[:most])


def _trait_finding(claim: str, first: Trait, shown_in: str) -> Finding:
    what = "largest difference of any cluster and attribute, labels shuffled"
    control = Control(what, first.chance[1], first.chance[0], first.chance[2])
    value, low, high = first.difference, first.low, first.high
    if value < 0:
        value, low, high = -value, -high, -low
    return Finding(claim, value, low, high, control, passed=True, shown_in=shown_in)


def error_findings(
    errors: ClusterErrors, clustering: Clustering, traits: Traits | None, shown_in: str, *, real: bool
) -> list[Finding]:
    """A claim a cluster on which the model does worse than on the rest, the worst first.

    Args:
        errors: of the clusters.
        clustering: the division.
        traits: words for them.
        shown_in: that shows them.
        real: whether the clusters are more than a cut through a continuum.
    """
    names = cluster_names(clustering.sizes, traits)
    place = errors.names.index("pck") if "pck" in errors.names else None
    if place is None:
        return []
    found, gaps = errors.contrasts, -errors.contrasts.difference[:, place]
    chance = errors.largest_gaps[:, place]
    median, beyond = (float(value) for value in np.quantile(chance, [0.5, 0.95]))
    what = "largest gap of clusters of the same sizes, labels shuffled"
    claims = []
    for cluster in np.argsort(-gaps):
        gap, low, high = gaps[cluster], -found.high[cluster, place], -found.low[cluster, place]
        if not np.isfinite([gap, low, high]).all() or gap <= 0:
            continue
        passed = bool(low > 0 and gap > beyond)
        text = f"{names[cluster].capitalize()}: {_scores(errors, int(cluster))}"
        if not passed:
            text += f"; a gap of {gap:.3f} may be chance"
        elif not real:
            text += f"; {NOT_REAL}"
        stake = float(errors.shares[cluster] * gap) if passed else 0.0
        control = Control(what, median, float(np.quantile(chance, 0.025)), beyond)
        claims.append(Finding(f"{text}.", float(gap), float(low), float(high), control, passed, shown_in, stake))
    return claims


def _scores(errors: ClusterErrors, cluster: int) -> str:
    found, texts = errors.contrasts, []
    for place, name in enumerate(errors.names):
        inside, rest = found.inside[cluster, place], found.rest[cluster, place]
        low, high = found.inside_low[cluster, place], found.inside_high[cluster, place]
        if np.isfinite([inside, rest, low, high]).all():
            texts.append(f"{name.upper()} {inside:.2f} [{low:.2f}, {high:.2f}] against {rest:.2f} for the rest")
    return ", ".join(texts)


# MERGED from cluster_tables: The clusters as tables: one row a cluster, and one row a person.


def cluster_table(
    person_ids: NDArray[np.int64],
    clustering: Clustering,
    measured: ClusterMembers,
    traits: Traits | None,
    errors: ClusterErrors | None,
) -> pd.DataFrame:
    """A row a cluster: cluster (from 1), persons, share, words, silhouette, medoid_person_id, and the scores that are known."""
    count = len(clustering)
    table = pd.DataFrame(
        {
            "cluster": np.arange(1, count + 1),
            "persons": clustering.sizes,
            "fraction": clustering.sizes / len(clustering.labels),
            "description": [traits.words(cluster) if traits else "" for cluster in range(count)],
            "silhouette": [_mean(measured.silhouettes[clustering.labels == cluster]) for cluster in range(count)],
            "medoid_person_id": person_ids[measured.medoids],
        }
    )
    return table if errors is None else pd.concat([table, errors.table()], axis=1)


def members_table(person_ids: NDArray[np.int64], clustering: Clustering, measured: ClusterMembers) -> pd.DataFrame:
    """A row a person: person_id, cluster, silhouette (NaN where not taken), to_centre (distance)."""
    return pd.DataFrame(
        {
            "person_id": person_ids,
            "cluster": clustering.labels + 1,
            "silhouette": measured.silhouettes,
            "distance_to_centre": measured.distance_to_centre,
        }
    )


def cluster_facts(table: pd.DataFrame) -> dict[str, float | int | str | None]:
    """worst_cluster and its PCK; none where nobody was scored."""
    if "mean_pck" not in table or table["mean_pck"].isna().all():
        return {"worst_cluster": None, "worst_cluster_pck": None}
    worst = table.iloc[int(np.nanargmin(table["mean_pck"].to_numpy(dtype=np.float64)))]
    return {"worst_cluster": int(worst["cluster"]), "worst_cluster_pck": float(worst["mean_pck"])}


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
