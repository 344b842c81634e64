"""Description of clusters by the attributes in which they differ from all other persons.

    d = (mean inside - mean of the rest) / standard deviation of all persons

An attribute describes a cluster only if the whole interval of d is beyond `smallest` on one side, and if d exceeds the 95 %
quantile of the largest d of all clusters and attributes under permuted labels (max statistic). That largest d is taken in units
of its own standard error, since random differences are larger for small clusters.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.clusters.cluster_contrasts import ClusterComparison

__all__ = ["Trait", "Traits", "describe_clusters"]


_COLUMNS = ["cluster", "attribute", "inside", "rest", "difference", "low", "high", "chance", "describes"]


@dataclass(frozen=True)
class Trait:
    """One attribute that describes a cluster.

    Attributes:
        description: description of the high or low values.
        difference: d, with its 95 % interval low..high.
        chance: 5 %, 50 % and 95 % quantile of the largest difference under permuted labels, in the same unit.
    """

    description: str
    difference: float
    low: float
    high: float
    chance: tuple[float, float, float]


@dataclass(frozen=True)
class Traits:
    """Attributes that describe each of Q clusters.

    Attributes:
        by_cluster: the traits of each cluster, the largest difference first.
        strongest: the most significant difference, whether it describes a cluster or not; none without attributes.
        table: a row per cluster and attribute: cluster (from 1), attribute, inside and rest (means in the attribute's unit),
            difference with low and high (standard deviations), chance (95 % quantile), describes.
    """

    by_cluster: tuple[tuple[Trait, ...], ...]
    strongest: Trait | None
    table: pd.DataFrame

    def description(self, cluster: int, most: int = 3) -> str:
        """Return the description of a cluster, '' if it has no traits.

        Args:
            cluster: index of the cluster, from 0.
            most: maximum number of traits.
        """
        return ", ".join(trait.description for trait in self.by_cluster[cluster][:most])


def describe_clusters(attributes: pd.DataFrame, comparison: ClusterComparison, smallest: float) -> Traits:
    """Compare clusters attribute by attribute.

    Args:
        attributes: N rows, a float column per attribute; columns that are not numeric are ignored.
        comparison: clusters of these persons.
        smallest: minimum difference in standard deviations.
    """
    measured = attributes.drop(columns="person_id", errors="ignore").select_dtypes("number").astype(np.float64)
    measured = measured.loc[:, measured.std(ddof=0) > 0]
    values = measured.to_numpy(dtype=np.float64)
    if not values.size:
        return Traits(((),) * comparison.clusters, None, pd.DataFrame(columns=_COLUMNS))
    scale = np.nanstd(values, axis=0)
    found = comparison.contrast(values)
    difference, low, high = found.difference / scale, found.low / scale, found.high / scale
    error = np.sqrt(1 / np.maximum(found.persons, 1) + 1 / np.maximum(found.others, 1))
    shuffled = np.abs(comparison.permuted_differences(values)) / scale / error
    largest = np.nanmax(shuffled.reshape(comparison.shuffles, -1), axis=1, initial=0.0)
    quantiles = np.quantile(largest, [0.05, 0.5, 0.95])
    beyond = quantiles[-1]
    describes = (np.abs(difference) > beyond * error) & ((low > smallest) | (high < -smallest))
    names = list(measured.columns)

    def trait(cluster: int, column: int) -> Trait:
        d, own = difference[cluster, column], attribute_named(names[column])
        chance = tuple(float(one * error[cluster, column]) for one in quantiles)
        text = own.high if d > 0 else own.low
        return Trait(text, float(d), float(low[cluster, column]), float(high[cluster, column]), (chance[0], chance[1], chance[2]))

    by_cluster = tuple(
        tuple(trait(cluster, column) for column in np.argsort(-np.abs(difference[cluster])) if describes[cluster, column])
        for cluster in range(comparison.clusters)
    )
    columns = (found.inside, found.rest, difference, low, high, beyond * error, describes)
    table = pd.DataFrame(
        {
            "cluster": np.repeat(np.arange(1, comparison.clusters + 1), len(names)),
            "attribute": names * comparison.clusters,
            **{name: values.ravel() for name, values in zip(_COLUMNS[2:], columns, strict=True)},
        }
    )
    significance = np.where(np.isfinite(low + high), np.abs(difference) / error, -1.0)
    if not significance.size or significance.max() < 0:
        return Traits(by_cluster, None, table)
    cluster, column = np.unravel_index(int(significance.argmax()), significance.shape)
    return Traits(by_cluster, trait(int(cluster), int(column)), table)
