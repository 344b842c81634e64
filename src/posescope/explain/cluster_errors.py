"""Does the model fail on a cluster: PCK and OKS of each against the rest, and the largest gap that chance makes.

Clusters are made without looking at the error, but there are several of them, and somebody looks at the worst. The control is
therefore the largest gap among clusters of the same sizes with shuffled labels, not the gap of one of them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explain.cluster_contrasts import Contrasts, contrast_clusters, shuffled_differences
from posescope.metrics.resampling import ImageDraws

__all__ = ["ClusterErrors", "measure_errors"]


@dataclass(frozen=True)
class ClusterErrors:
    """Scores of Q clusters.

    Attributes:
        names: of the V scores: `pck`, `oks`; those that are known.
        contrasts: (Q, V) of each.
        largest_gaps: (shuffles, V) by how much the worst of the shuffled clusters lies below its rest.
        shares: (Q,) share of the scored persons in each cluster.
    """

    names: tuple[str, ...]
    contrasts: Contrasts
    largest_gaps: NDArray[np.float64]
    shares: NDArray[np.float64]

    def table(self) -> pd.DataFrame:
        """A row a cluster: mean_<score>, <score>_low, <score>_high, the same of the rest, and the difference."""
        columns: dict[str, NDArray[np.float64]] = {}
        found = self.contrasts
        for place, name in enumerate(self.names):
            # The difference of the first score, PCK, goes by the short name.
            gap = "against_rest" if name == "pck" else f"{name}_against_rest"
            columns |= {
                f"mean_{name}": found.inside[:, place],
                f"{name}_low": found.inside_low[:, place],
                f"{name}_high": found.inside_high[:, place],
                f"rest_{name}": found.rest[:, place],
                gap: found.difference[:, place],
                f"{gap}_low": found.low[:, place],
                f"{gap}_high": found.high[:, place],
            }
        return pd.DataFrame(columns)


def measure_errors(
    scores: dict[str, NDArray[np.float64] | None],
    labels: NDArray[np.int64],
    clusters: int,
    groups: NDArray[np.int64],
    draws: ImageDraws,
    *,
    shuffles: int,
    seed: int,
) -> ClusterErrors | None:
    """Compare clusters by how well the model does on them; none where nobody was scored.

    Args:
        scores: (N,) by name, NaN where unknown, higher is better.
        labels: (N,) 0..Q-1.
        clusters: Q.
        groups: (N,) photographs.
        draws: of these photographs.
        shuffles: of the labels.
        seed: of the shuffles.
    """
    known = {name: own for name, own in scores.items() if own is not None and not np.isnan(own).all()}
    if not known:
        return None
    values = np.stack(list(known.values()), axis=1)
    contrasts = contrast_clusters(values, labels, clusters, groups, draws)
    shuffled = shuffled_differences(values, labels, clusters, groups, shuffles, seed)
    largest = np.nanmax(-shuffled, axis=1, initial=0.0)
    return ClusterErrors(tuple(known), contrasts, largest, contrasts.persons[:, 0] / max(contrasts.persons[:, 0].sum(), 1))
