"""What pushing people along a component does to a pose attribute: its gain between both ends, in spreads of people.

The people, and the random directions that a gain is held against, are those of `walk_pushes`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageDraws, Interval, draw_images
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Finding, control_of
from posescope.explainability.traversal.random_directions import mean_joint_distances_px

__all__ = [
    "AttributeEffect",
    "AttributeScale",
    "claim_attribute_effect",
    "measure_effects",
    "measure_scale",
    "strongest_effects",
    "tabulate_effects",
    "Displacement",
    "Perturbation",
    "perturb_persons",
]

_LARGE = 0.5  # spreads of people: below it, a gain is called a little
_FEWEST_MEASURED = 10  # persons on whom an attribute must be known, to say how much people differ in it


@dataclass(frozen=True)
class AttributeScale:
    """How people differ in one attribute: half the range of their middle 68 %, and the middle 96 % that values are cut to."""

    spread: float
    low: float
    high: float


@dataclass(frozen=True)
class AttributeEffect:
    """What pushing people from the lower end to the upper one does to a pose attribute.

    Attributes:
        component: 1 is the first.
        attribute: name.
        gain: mean over people, in spreads of people; 95 % over photographs, widened for the number of attributes looked at.
        random: the same along random directions.
        low, high: mean value at the two ends, in the attribute's unit.
    """

    component: int
    attribute: str
    gain: Interval
    random: Interval
    low: float
    high: float

    @property
    def least(self) -> float:
        """How large the gain is at least, to either side: below zero where the interval holds zero."""
        return max(self.gain.low, -self.gain.high)

    @property
    def is_sure(self) -> bool:
        """Whether the gain lies beyond zero and beyond what random directions do."""
        own, chance = self.gain, self.random
        return (own.low > max(0.0, chance.high)) or (own.high < min(0.0, chance.low))


def measure_scale(poses: pd.DataFrame) -> dict[str, AttributeScale]:
    """The scale of each attribute that is known of ten people at least and in which they differ."""
    scales: dict[str, AttributeScale] = {}
    for name, values in poses.items():
        known = values.dropna().to_numpy(dtype=np.float64)
        if len(known) < _FEWEST_MEASURED:
            continue
        low, below, above, high = (float(value) for value in np.quantile(known, [0.02, 0.16, 0.84, 0.98]))
        if above > below:
            scales[str(name)] = AttributeScale((above - below) / 2, low, high)
    return scales


def measure_effects(
    component: int, poses: pd.DataFrame, scales: Mapping[str, AttributeScale], draws: ImageDraws, groups: NDArray[np.int64]
) -> list[AttributeEffect]:
    """What one component does to every attribute.

    Args:
        component: 1 is the first.
        poses: attributes of decoded skeletons: n along the component at the lower end, at the upper one, then n along random
            directions likewise.
        scales: of the attributes to measure.
        draws: of photographs.
        groups: (n,) the photograph of each person.

    Returns:
        A record an attribute; none for one that no decoded skeleton tells.
    """
    gains = []
    for name, scale in scales.items():
        values = poses[name].to_numpy(dtype=np.float64).reshape(2, 2, -1).clip(scale.low, scale.high)
        difference = (values[:, 1] - values[:, 0]) / scale.spread
        level = 1 - 0.05 / len(scales)
        own, chance = (draws.mean_interval(of_direction, groups, level) for of_direction in difference)
        if np.isfinite([own.estimate, own.low, chance.estimate, chance.low]).all():
            told = ~np.isnan(difference[0])
            low, high = (float(ends[told].mean()) for ends in values[0])
            gains.append(AttributeEffect(component, name, own, chance, low, high))
    return gains


def strongest_effects(gains: Sequence[AttributeEffect]) -> list[AttributeEffect]:
    """Of each component, the attribute that it most surely changes: whose gain is largest at its least."""
    best: dict[int, AttributeEffect] = {}
    for gain in gains:
        known = best.get(gain.component)
        if known is None or gain.least > known.least:
            best[gain.component] = gain
    return list(best.values())


def tabulate_effects(gains: Sequence[AttributeEffect]) -> pd.DataFrame:
    """A row a component and attribute; intervals of the gain, and of that along random directions."""
    names = ["component", "attribute", "at_low_end", "at_high_end", "effect", "effect_low", "effect_high"]
    rows = [(gain.component, gain.attribute, gain.low, gain.high, *astuple(gain.gain), *astuple(gain.random)) for gain in gains]
    return pd.DataFrame(rows, columns=[*names, "random_effect", "random_effect_low", "random_effect_high"])


def claim_attribute_effect(gain: AttributeEffect, people: int, perturbation_sd: float, shown_in: str) -> Finding:
    """What a component means, by the attribute that it changes most surely."""
    attribute, own, chance = attribute_named(gain.attribute), gain.gain, gain.random
    words = (attribute.low, attribute.high) if own.estimate > 0 else (attribute.high, attribute.low)
    name = gain.attribute.replace("_", " ")
    course = "does not surely change the pose"
    if gain.is_sure:
        large = abs(own.estimate) >= _LARGE
        course = (
            f"turns people from {words[0]} to {words[1]}" if large else f"moves people a little from {words[0]} to {words[1]}"
        )
    claim = (
        f"Component {gain.component} {course}: pushed from -{perturbation_sd:g} to +{perturbation_sd:g} sd along it, {people} people's decoded "
        f"skeletons go from {gain.low:.2f} to {gain.high:.2f} {attribute.unit} of {name}, {own.estimate:+.2f} spreads of people "
        f"[{own.low:+.2f}, {own.high:+.2f}]; random directions of the same length {chance.estimate:+.2f} "
        f"[{chance.low:+.2f}, {chance.high:+.2f}]."
    )
    control = control_of("the same people pushed along random directions of the same length", chance)
    return Finding(claim, own.estimate, own.low, own.high, control, gain.is_sure, shown_in)


# MERGED from walk_pushes: Real people pushed along a component: what it does to a pose, measured where the data is, with
# an interval.
#
#     f_n ± c * sqrt(variance_i) * axis_i       person n, decoded as the steps of a walk are; the movement is the distance
# of the
#                                               skeletons of both ends, the gain of an attribute its value at the upper
# end less
#                                               that at the lower one
#     f_n ± c * sqrt(variance_i) * u_n          the control: for each person a direction of the same length, drawn evenly
#
# A walk from the mean is one path: where the mean stands between front and back, the lightest push turns it round,
# whatever the
# direction. Over many people such turns cancel in an attribute unless the component is what turns them. A movement has no
# sign and
# cancels nowhere: any push moves a skeleton, and what counts is how much farther the component moves the same people.


@dataclass(frozen=True)
class Displacement:
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
class Perturbation:
    """What became of people who were pushed along the first components.

    Attributes:
        people: how many.
        perturbation_sd: how far to each side, standard deviations.
        displacements: one a component; none where the people are of fewer than two photographs, and nothing is known of chance.
        gains: one a component and attribute; likewise, and none for an attribute that no decoded skeleton tells.
    """

    people: int
    perturbation_sd: float
    displacements: tuple[Displacement, ...] = ()
    gains: tuple[AttributeEffect, ...] = ()


def perturb_persons(
    components: Components,
    count: int,
    perturbation_sd: float,
    *,
    features: NDArray[np.floating],
    groups: NDArray[np.int64],
    scales: Mapping[str, AttributeScale],
    decode: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    poses_of: Callable[[NDArray[np.float32]], pd.DataFrame],
    seed: int,
) -> Perturbation:
    """Push people along the first components, and measure how far their skeletons move, and every attribute.

    Args:
        components: along which.
        count: how many of them.
        perturbation_sd: c, to each side.
        features: (n, D) of the people.
        groups: (n,) photograph of each.
        scales: of the attributes to measure.
        decode: (M, D) points -> (M, K, 2) joints, px; once a component, of 4 n points.
        poses_of: (M, K, 2) joints -> a row of pose attributes each.
        seed: of the random directions and of the resamples.
    """
    if len(np.unique(groups)) < 2:
        return Perturbation(len(features), perturbation_sd)
    # An interval that is widened for m looks ends at the 0.025 / m of the draws to either side: twenty of them lie beyond it.
    draws = draw_images(groups, seed, max(1000, 800 * max(count, len(scales))))
    rng = np.random.default_rng(seed)
    displacements: list[Displacement] = []
    gains: list[AttributeEffect] = []
    for component in range(count):
        drawn = rng.normal(size=features.shape)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        along = (
            perturbation_sd
            * np.sqrt(components.variances[component])
            * np.stack([np.broadcast_to(components.axes[component], drawn.shape), drawn])
        )
        # (own or random, lower or upper end, person, D)
        points = features.astype(np.float64) + np.stack([-along, along], axis=1)
        joints = decode(points.reshape(-1, features.shape[1]))
        displacements.append(_movement(component + 1, joints, draws, groups, count))
        if scales:
            gains += measure_effects(component + 1, poses_of(joints), scales, draws, groups)
    return Perturbation(len(features), perturbation_sd, tuple(displacements), tuple(gains))


def _movement(
    component: int, joints: NDArray[np.float32], draws: ImageDraws, groups: NDArray[np.int64], components: int
) -> Displacement:
    ends = joints.reshape(2, 2, len(groups), *joints.shape[1:])
    level = 1 - 0.05 / components
    own, chance = (draws.mean_interval(moved, groups, level) for moved in mean_joint_distances_px(ends[:, 0], ends[:, 1]))
    return Displacement(component, own, chance)
