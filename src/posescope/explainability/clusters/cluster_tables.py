"""Tables of the analysis `clusters`: every number of clusters, the shown groups, the persons and the centres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.clusters.cluster_contrasts import ClusterErrors
from posescope.explainability.clusters.cluster_descriptions import Traits
from posescope.explainability.clusters.cluster_evidence import ClusterEvidence, CountEvidence
from posescope.explainability.clusters.cluster_members import ClusterMembers

__all__ = ["JudgedGroups", "tabulate_centres", "tabulate_counts", "tabulate_groups", "tabulate_members"]

_LEAST_PERSONS = 10  # with a known PCK, of a group that is named as the worst one


@dataclass(frozen=True)
class JudgedGroups:
    """Judged persons in the groups of one number of clusters.

    Attributes:
        labels: (N,) group of each person, 0..k-1.
        errors: scores of the groups.
        traits: attributes that describe the groups.
    """

    labels: NDArray[np.int64]
    errors: ClusterErrors
    traits: Traits

    @property
    def worst(self) -> int | None:
        """The group with the lowest PCK, of those with enough scored persons; none if there is none."""
        pck = self.errors.contrasts.inside[:, 0]
        known = np.where(self.errors.contrasts.persons[:, 0] >= _LEAST_PERSONS, pck, np.nan)
        return None if np.isnan(known).all() else int(np.nanargmin(known))


def tabulate_counts(evidence: ClusterEvidence, judged: Mapping[int, JudgedGroups]) -> pd.DataFrame:
    """Tabulate a row per number of clusters.

    Args:
        evidence: evidence of the fitted persons.
        judged: groups of the judged persons by number of clusters.

    Returns:
        clusters, shown, supported, separate_groups, p_value; silhouette, null_silhouette, null_silhouette_high, p_silhouette;
        agreement, null_agreement, null_agreement_high; valley_ratio of the weakest separation; inertia, restart_agreement,
        smallest_group (fitted persons); worst_group with its description, judged persons, PCK, that of the rest, and the gap with
        its interval. NaN where unknown.
    """
    return pd.DataFrame([_count_row(k, own, evidence.shown, judged[k]) for k, own in evidence.counts.items()])


def _count_row(k: int, own: CountEvidence, shown: int, judged: JudgedGroups) -> dict[str, object]:
    nan = float("nan")
    return {
        "clusters": k,
        "shown": k == shown,
        "supported": own.is_supported,
        "separate_groups": int(own.separate.sum()),
        "p_value": own.p_value,
        "silhouette": own.silhouette,
        "null_silhouette": own.null_silhouette,
        "null_silhouette_high": own.null_silhouette_high,
        "p_silhouette": own.p_silhouette,
        "agreement": own.agreement,
        "null_agreement": own.null_agreement,
        "null_agreement_high": own.null_agreement_high,
        "valley_ratio": max((group.ratio for group in own.groups), default=nan),
        "inertia": own.clustering.inertias.get(k, nan),
        "restart_agreement": own.clustering.restart_agreements.get(k, nan),
        "smallest_group": int(own.clustering.sizes.min()),
        **_worst_columns(judged),
    }


def _worst_columns(judged: JudgedGroups) -> dict[str, object]:
    names = ("worst_persons", "worst_pck", "rest_pck", "gap", "gap_low", "gap_high")
    worst = judged.worst
    if worst is None:
        return {"worst_group": None, "worst_description": "", **dict.fromkeys(names, float("nan"))}
    found = judged.errors.contrasts
    values = (found.persons, found.inside, found.rest, -found.difference, -found.high, -found.low)
    numbers = {name: float(value[worst, 0]) for name, value in zip(names, values, strict=True)}
    return {"worst_group": worst + 1, "worst_description": judged.traits.description(worst), **numbers}


def tabulate_groups(
    own: CountEvidence, members: ClusterMembers, judged: JudgedGroups, person_ids: NDArray[np.int64]
) -> pd.DataFrame:
    """Tabulate a row per shown group.

    Args:
        own: evidence for the shown number of clusters.
        members: the judged persons.
        judged: their scores and descriptions.
        person_ids: (N,) of the judged persons.

    Returns:
        cluster (from 1), persons, fraction, description, silhouette and medoid_person_id (-1: none) of the judged persons,
        fitted_persons; separate, nearest_cluster, valley_ratio, valley_images, core_images, p_separate, jaccard of the fitted
        persons; then the columns of `ClusterErrors.table`.
    """
    sizes, count = members.sizes, len(own)
    silhouettes = [members.silhouettes[members.labels == group] for group in range(count)]
    table = pd.DataFrame(
        {
            "cluster": np.arange(1, count + 1),
            "persons": sizes,
            "fraction": sizes / max(sizes.sum(), 1),
            "fitted_persons": own.clustering.sizes,
            "description": [judged.traits.description(group) for group in range(count)],
            "separate": own.separate,
            **_separation_columns(own),
            "silhouette": [_mean(values) for values in silhouettes],
            "medoid_person_id": [int(person_ids[row]) if row >= 0 else -1 for row in members.medoids],
        }
    )
    return pd.concat([table, judged.errors.table()], axis=1)


def _separation_columns(own: CountEvidence) -> dict[str, Sequence[float]]:
    names = ("nearest_cluster", "valley_ratio", "valley_images", "core_images", "jaccard")
    rows = [[group.nearest + 1.0, group.ratio, group.valley, group.core, group.jaccard] for group in own.groups]
    columns = np.array(rows or [[float("nan")] * len(names)] * len(own), dtype=np.float64).T
    return {**dict(zip(names, columns.tolist(), strict=True)), "p_separate": list(own.p_groups)}


def tabulate_members(
    splits: Sequence[tuple[str, NDArray[np.int64], ClusterMembers]], labels: Sequence[Mapping[int, NDArray[np.int64]]]
) -> pd.DataFrame:
    """Tabulate a row per person.

    Args:
        splits: name, person ids and groups of the fitted and of the judged persons.
        labels: groups of the same persons for every number of clusters.

    Returns:
        person_id, role (`fitted`, `judged`), cluster, silhouette (NaN where not measured), distance_to_centre, and the group for
        every number of clusters k as cluster_of_<k>; groups count from 1.
    """
    tables = [
        pd.DataFrame(
            {
                "person_id": ids,
                "role": role,
                "cluster": members.labels + 1,
                "silhouette": members.silhouettes,
                "distance_to_centre": members.distance_to_centre,
                **{f"cluster_of_{k}": values + 1 for k, values in own.items()},
            }
        )
        for (role, ids, members), own in zip(splits, labels, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def tabulate_centres(evidence: ClusterEvidence) -> pd.DataFrame:
    """Tabulate a row per centre of every number of clusters: clusters, cluster (from 1), and its coordinates c1, c2, ..."""
    tables = []
    for k, own in evidence.counts.items():
        centres = own.clustering.centres
        columns = {f"c{axis}": centres[:, axis - 1] for axis in range(1, centres.shape[1] + 1)}
        tables.append(pd.DataFrame({"clusters": k, "cluster": np.arange(1, k + 1), **columns}))
    return pd.concat(tables, ignore_index=True)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
