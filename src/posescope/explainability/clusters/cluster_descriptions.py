"""What a cluster's persons have in common, put into words from measured attributes.

    d = (mean inside - mean of the rest) / standard deviation of everybody

An attribute is told of a cluster only if the whole interval of d lies beyond `smallest` on one side, and if d is larger than
chance makes the largest of all clusters and attributes: labels are shuffled many times, and each time the largest d counts, in
units of its own standard error, since chance moves small clusters further.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageDraws
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.clusters.cluster_contrasts import Contrasts, contrast_clusters, shuffled_differences

__all__ = ["Trait", "Traits", "describe_clusters"]


_COLUMNS = ["cluster", "attribute", "inside", "rest", "difference", "low", "high", "chance", "describes"]


@dataclass(frozen=True)
class Trait:
    """One attribute in which a cluster differs for certain.

    Attributes:
        words: for much or little of it.
        difference: d, with its 95 % interval low..high.
        chance: 5 %, 50 % and 95 % quantile, in the same unit, of the largest difference when labels are shuffled.
    """

    words: str
    difference: float
    low: float
    high: float
    chance: tuple[float, float, float]


@dataclass(frozen=True)
class Traits:
    """Of Q clusters.

    Attributes:
        describes: for each cluster its traits, the largest difference first.
        strongest: the difference farthest from chance, told or not; none where nothing was measured.
        table: a row a cluster and attribute: cluster (from 1), attribute, inside and rest (means in the attribute's unit),
            difference with low and high (standard deviations), chance (95 % quantile), told.
    """

    told: tuple[tuple[Trait, ...], ...]
    strongest: Trait | None
    table: pd.DataFrame

    def words(self, cluster: int, most: int = 3) -> str:
        """The cluster in words, or '' where nothing tells it apart."""
        return ", ".join(trait.words for trait in self.told[cluster][:most])


def describe_clusters(
    attributes: pd.DataFrame,
    labels: NDArray[np.int64],
    clusters: int,
    groups: NDArray[np.int64],
    draws: ImageDraws,
    *,
    smallest: float,
    shuffles: int,
    seed: int,
) -> Traits:
    """Compare clusters attribute by attribute.

    Args:
        attributes: a float column an attribute, N rows; other columns than those of numbers are left out.
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) photographs.
        draws: of these photographs.
        smallest: standard deviations beyond which an interval must lie.
        shuffles: of the labels.
        seed: of the shuffles.
    """
    measured = attributes.drop(columns="person_id", errors="ignore").select_dtypes("number").astype(np.float64)
    measured = measured.loc[:, measured.std(ddof=0) > 0]
    values = measured.to_numpy(dtype=np.float64)
    if not values.size:
        return Traits(((),) * clusters, None, pd.DataFrame(columns=_COLUMNS))
    scale = np.nanstd(values, axis=0)
    found = contrast_clusters(values, labels, clusters, groups, draws)
    difference, low, high = found.difference / scale, found.low / scale, found.high / scale
    error = np.sqrt(1 / np.maximum(found.persons, 1) + 1 / np.maximum(found.others, 1))
    shuffled = np.abs(shuffled_differences(values, labels, clusters, groups, shuffles, seed)) / scale / error
    largest = np.nanmax(shuffled.reshape(shuffles, -1), axis=1, initial=0.0)
    quantiles = np.quantile(largest, [0.05, 0.5, 0.95])
    beyond = quantiles[-1]
    told = (np.abs(difference) > beyond * error) & ((low > smallest) | (high < -smallest))
    names = list(measured.columns)

    def trait(cluster: int, column: int) -> Trait:
        d, own = difference[cluster, column], attribute_named(names[column])
        few, half, most = (float(one * error[cluster, column]) for one in quantiles)
        words = own.high if d > 0 else own.low
        return Trait(words, float(d), float(low[cluster, column]), float(high[cluster, column]), (few, half, most))

    by_cluster = tuple(
        tuple(trait(cluster, column) for column in np.argsort(-np.abs(difference[cluster])) if told[cluster, column])
        for cluster in range(clusters)
    )
    table = _table(
        found, {"difference": difference, "low": low, "high": high, "chance": beyond * error, "describes": told}, names
    )
    sure = np.where(np.isfinite(low + high), np.abs(difference) / error, -1.0)
    place = np.unravel_index(int(sure.argmax()), sure.shape) if sure.size and sure.max() >= 0 else None
    return Traits(by_cluster, None if place is None else trait(int(place[0]), int(place[1])), table)


def _table(found: Contrasts, measured: Mapping[str, NDArray[np.generic]], names: Sequence[str]) -> pd.DataFrame:
    """A row a cluster and attribute; everything measured is (Q, A)."""
    clusters = len(found.inside)
    places = {"cluster": np.repeat(np.arange(1, clusters + 1), len(names)), "attribute": list(names) * clusters}
    values = {"inside": found.inside, "rest": found.rest, **measured}
    return pd.DataFrame({**places, **{name: value.ravel() for name, value in values.items()}}, columns=_COLUMNS)
