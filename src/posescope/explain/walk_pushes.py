"""Real people pushed along a component: what it does to a pose, measured where the data is, with an interval.

    f_n ± c * sqrt(variance_i) * axis_i       person n, decoded as the steps of a walk are; the movement is the distance of the
                                              skeletons of both ends, the gain of an attribute its value at the upper end less
                                              that at the lower one
    f_n ± c * sqrt(variance_i) * u_n          the control: for each person a direction of the same length, drawn evenly

A walk from the mean is one path: where the mean stands between front and back, the lightest push turns it round, whatever the
direction. Over many people such turns cancel in an attribute unless the component is what turns them. A movement has no sign and
cancels nowhere: any push moves a skeleton, and what counts is how much farther the component moves the same people.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explain.components import Components
from posescope.explain.walk_controls import mean_distances
from posescope.explain.walk_gains import AttributeGain, PoseScale, measure_gains
from posescope.metrics.confidence import Interval
from posescope.metrics.resampling import ImageDraws, draw_images

__all__ = ["Movement", "Pushed", "push_people"]


@dataclass(frozen=True)
class Movement:
    """How far pushing people from the lower end to the upper one moves their skeletons.

    Attributes:
        component: 1 is the first.
        own: px a joint between the decoded skeletons of both ends, mean over people; 95 % over photographs, widened for the
            number of components looked at.
        random: the same along random directions.
    """

    component: int
    own: Interval
    random: Interval

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval lies above that of random directions."""
        return self.own.low > self.random.high


@dataclass(frozen=True)
class Pushed:
    """What became of people who were pushed along the first components.

    Attributes:
        people: how many.
        push_sd: how far to each side, standard deviations.
        movements: one a component; none where the people are of fewer than two photographs, and nothing is known of chance.
        gains: one a component and attribute; likewise, and none for an attribute that no decoded skeleton tells.
    """

    people: int
    push_sd: float
    movements: tuple[Movement, ...] = ()
    gains: tuple[AttributeGain, ...] = ()


def push_people(
    components: Components,
    count: int,
    push_sd: float,
    *,
    features: NDArray[np.floating],
    groups: NDArray[np.int64],
    scales: Mapping[str, PoseScale],
    decode: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    poses_of: Callable[[NDArray[np.float32]], pd.DataFrame],
    seed: int,
) -> Pushed:
    """Push people along the first components, and measure how far their skeletons move, and every attribute.

    Args:
        components: along which.
        count: how many of them.
        push_sd: c, to each side.
        features: (n, D) of the people.
        groups: (n,) photograph of each.
        scales: of the attributes to measure.
        decode: (M, D) points -> (M, K, 2) joints, px; once a component, of 4 n points.
        poses_of: (M, K, 2) joints -> a row of pose attributes each.
        seed: of the random directions and of the resamples.
    """
    if len(np.unique(groups)) < 2:
        return Pushed(len(features), push_sd)
    # An interval that is widened for m looks ends at the 0.025 / m of the draws to either side: twenty of them lie beyond it.
    draws = draw_images(groups, seed, max(1000, 800 * max(count, len(scales))))
    rng = np.random.default_rng(seed)
    movements: list[Movement] = []
    gains: list[AttributeGain] = []
    for component in range(count):
        drawn = rng.normal(size=features.shape)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        along = (
            push_sd
            * np.sqrt(components.variances[component])
            * np.stack([np.broadcast_to(components.axes[component], drawn.shape), drawn])
        )
        # (own or random, lower or upper end, person, D)
        points = features.astype(np.float64) + np.stack([-along, along], axis=1)
        joints = decode(points.reshape(-1, features.shape[1]))
        movements.append(_movement(component + 1, joints, draws, groups, count))
        if scales:
            gains += measure_gains(component + 1, poses_of(joints), scales, draws, groups)
    return Pushed(len(features), push_sd, tuple(movements), tuple(gains))


def _movement(
    component: int, joints: NDArray[np.float32], draws: ImageDraws, groups: NDArray[np.int64], components: int
) -> Movement:
    ends = joints.reshape(2, 2, len(groups), *joints.shape[1:])
    level = 1 - 0.05 / components
    own, chance = (draws.mean_interval(moved, groups, level) for moved in mean_distances(ends[:, 0], ends[:, 1]))
    return Movement(component, own, chance)
