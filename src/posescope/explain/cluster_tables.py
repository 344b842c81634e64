"""The clusters as tables: one row a cluster, and one row a person."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explain.cluster_errors import ClusterErrors
from posescope.explain.cluster_persons import MeasuredPersons
from posescope.explain.cluster_words import Traits
from posescope.explain.clustering import Clustering

__all__ = ["cluster_facts", "cluster_table", "members_table"]


def cluster_table(
    person_ids: NDArray[np.int64],
    clustering: Clustering,
    measured: MeasuredPersons,
    traits: Traits | None,
    errors: ClusterErrors | None,
) -> pd.DataFrame:
    """A row a cluster: cluster (from 1), persons, share, words, silhouette, medoid_person_id, and the scores that are known."""
    count = len(clustering)
    table = pd.DataFrame(
        {
            "cluster": np.arange(1, count + 1),
            "persons": clustering.sizes,
            "share": clustering.sizes / len(clustering.labels),
            "words": [traits.words(cluster) if traits else "" for cluster in range(count)],
            "silhouette": [_mean(measured.silhouettes[clustering.labels == cluster]) for cluster in range(count)],
            "medoid_person_id": person_ids[measured.medoids],
        }
    )
    return table if errors is None else pd.concat([table, errors.table()], axis=1)


def members_table(person_ids: NDArray[np.int64], clustering: Clustering, measured: MeasuredPersons) -> pd.DataFrame:
    """A row a person: person_id, cluster, silhouette (NaN where not taken), to_centre (distance)."""
    return pd.DataFrame(
        {
            "person_id": person_ids,
            "cluster": clustering.labels + 1,
            "silhouette": measured.silhouettes,
            "to_centre": measured.to_centre,
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
