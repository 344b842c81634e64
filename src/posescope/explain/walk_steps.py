"""The steps of the walks: decoded, beside the nearest persons, in one table; and the components walked, in another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explain.base import AnalysisInputs
from posescope.explain.components import Components
from posescope.explain.feature_space import Decoded, Nearest, nearest_persons, walked_points
from posescope.explain.taps import predict_persons
from posescope.explain.walk_controls import EndsOfWalk, mean_distances
from posescope.explain.walk_distance import Spacing, shares_beyond
from posescope.explain.walk_pushes import Movement

__all__ = ["Walked", "tabulate_components", "tabulate_steps", "walk_components"]


@dataclass(frozen=True)
class Walked:
    """All points of all walks, M of them, component by component.

    Attributes:
        steps: (S,) of every walk, standard deviations.
        nearest: the person nearest to each point.
        decoded: each point.
        origin: (K, 2) joints of the decoded mean.
        predicted: (M, K, 2) what the network predicts for the nearest person of each point.
    """

    steps: NDArray[np.float64]
    nearest: Nearest
    decoded: Decoded
    origin: NDArray[np.float32]
    predicted: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of components walked."""
        return len(self.nearest.rows) // len(self.steps)

    @property
    def distinct(self) -> NDArray[np.int64]:
        """Points in order, the mean once though every walk goes through it."""
        step = np.tile(self.steps, self.count)
        first_mean = np.arange(len(step)) == (int(np.argmax(step == 0)) if (step == 0).any() else -1)
        return np.flatnonzero((step != 0) | first_mean)


def walk_components(
    inputs: AnalysisInputs, count: int, steps: NDArray[np.float64], decode: Callable[[NDArray[np.float64]], Decoded]
) -> Walked:
    """Walk along the first `count` components, and look who is nearest to each step.

    Args:
        inputs: persons and components.
        count: how many components.
        steps: standard deviations.
        decode: (M, D) points -> what the network makes of them.
    """
    points = walked_points(inputs.components, count, steps)
    nearest = nearest_persons(inputs.features, points)
    # The mean goes along as the last point: what the steps are measured from.
    every = decode(np.concatenate([points, inputs.components.mean[None]]))
    rows, where = np.unique(nearest.rows, return_inverse=True)
    predicted = predict_persons(inputs.model, inputs.crops, rows, inputs.batch_size).joints[where]
    decoded = Decoded(every.heatmaps[:-1], every.joints[:-1], every.scores[:-1])
    return Walked(steps, nearest, decoded, every.joints[-1], predicted)


def tabulate_steps(inputs: AnalysisInputs, walked: Walked, spacing: Spacing) -> pd.DataFrame:
    """One row a step: nearest person, how far from the data, agreement_px and moved_px (mean joint distances)."""
    steps, nearest, decoded = walked.steps, walked.nearest, walked.decoded
    beyond = shares_beyond(inputs.components, inputs.features, walked.count, steps)
    return pd.DataFrame(
        {
            "component": np.repeat(np.arange(1, walked.count + 1), len(steps)),
            "step": np.tile(steps, walked.count),
            "nearest_person_id": inputs.features.person_ids[nearest.rows],
            "distance": nearest.distances,
            "distance_quantile": spacing.quantiles(nearest.distances),
            "share_beyond": beyond.ravel(),
            # Decoded step against the prediction for the nearest person, and against the decoded mean.
            "agreement_px": mean_distances(decoded.joints, walked.predicted),
            "moved_px": mean_distances(decoded.joints, walked.origin),
            "mean_score": decoded.scores.mean(axis=1).astype(np.float64),
        }
    )


def tabulate_components(
    components: Components, count: int, walks: Sequence[EndsOfWalk], movements: Sequence[Movement]
) -> pd.DataFrame:
    """A row a component: its share of the variance, and how far it moves the skeleton, beside random directions.

    Args:
        components: of which the first are walked.
        count: how many.
        walks: the ends of each, from which come moved_px (from the decoded mean), random_moved_px and random_moved_high_px; may
            be empty, then they are NaN.
        movements: of people pushed along each (pushed_px between both ends, its interval, and the same along random
            directions); may be empty likewise.
    """
    intervals = {"pushed": [one.own for one in movements], "random_pushed": [one.random for one in movements]}
    pushed = {
        f"{name}{end}_px": [getattr(one, field) for one in found] or np.nan
        for name, found in intervals.items()
        for end, field in (("", "estimate"), ("_low", "low"), ("_high", "high"))
    }
    return pd.DataFrame(
        {
            "component": np.arange(1, count + 1),
            "variance_share": components.explained_variance_ratio[:count],
            "moved_px": [walk.moved_px[0] for walk in walks] or np.nan,
            "random_moved_px": [float(np.median(walk.moved_px[1:])) for walk in walks] or np.nan,
            "random_moved_high_px": [float(np.quantile(walk.moved_px[1:], 0.975)) for walk in walks] or np.nan,
            **pushed,
        }
    )
