"""What pushing people along a component does to a pose attribute: its gain between both ends, in spreads of people.

The people, and the random directions that a gain is held against, are those of `walk_pushes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explain.attributes import attribute_named
from posescope.explain.findings import Finding, control_of
from posescope.metrics.confidence import Interval
from posescope.metrics.resampling import ImageDraws

__all__ = ["AttributeGain", "PoseScale", "claim_attribute", "measure_gains", "measure_scale", "strongest_gains", "tabulate_gains"]

_LARGE = 0.5  # spreads of people: below it, a gain is called a little
_FEWEST_MEASURED = 10  # persons on whom an attribute must be known, to say how much people differ in it


@dataclass(frozen=True)
class PoseScale:
    """How people differ in one attribute: half the range of their middle 68 %, and the middle 96 % that values are cut to."""

    spread: float
    low: float
    high: float


@dataclass(frozen=True)
class AttributeGain:
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


def measure_scale(poses: pd.DataFrame) -> dict[str, PoseScale]:
    """The scale of each attribute that is known of ten people at least and in which they differ."""
    scales: dict[str, PoseScale] = {}
    for name, values in poses.items():
        known = values.dropna().to_numpy(dtype=np.float64)
        if len(known) < _FEWEST_MEASURED:
            continue
        low, below, above, high = (float(value) for value in np.quantile(known, [0.02, 0.16, 0.84, 0.98]))
        if above > below:
            scales[str(name)] = PoseScale((above - below) / 2, low, high)
    return scales


def measure_gains(
    component: int, poses: pd.DataFrame, scales: Mapping[str, PoseScale], draws: ImageDraws, groups: NDArray[np.int64]
) -> list[AttributeGain]:
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
            gains.append(AttributeGain(component, name, own, chance, low, high))
    return gains


def strongest_gains(gains: Sequence[AttributeGain]) -> list[AttributeGain]:
    """Of each component, the attribute that it most surely changes: whose gain is largest at its least."""
    best: dict[int, AttributeGain] = {}
    for gain in gains:
        known = best.get(gain.component)
        if known is None or gain.least > known.least:
            best[gain.component] = gain
    return list(best.values())


def tabulate_gains(gains: Sequence[AttributeGain]) -> pd.DataFrame:
    """A row a component and attribute; intervals of the gain, and of that along random directions."""
    names = ["component", "attribute", "at_low_end", "at_high_end", "spreads", "spreads_low", "spreads_high"]
    rows = [(gain.component, gain.attribute, gain.low, gain.high, *astuple(gain.gain), *astuple(gain.random)) for gain in gains]
    return pd.DataFrame(rows, columns=[*names, "random_spreads", "random_low", "random_high"])


def claim_attribute(gain: AttributeGain, people: int, push_sd: float, picture: str) -> Finding:
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
        f"Component {gain.component} {course}: pushed from -{push_sd:g} to +{push_sd:g} sd along it, {people} people's decoded "
        f"skeletons go from {gain.low:.2f} to {gain.high:.2f} {attribute.unit} of {name}, {own.estimate:+.2f} spreads of people "
        f"[{own.low:+.2f}, {own.high:+.2f}]; random directions of the same length {chance.estimate:+.2f} "
        f"[{chance.low:+.2f}, {chance.high:+.2f}]."
    )
    control = control_of("the same people pushed along random directions of the same length", chance)
    return Finding(claim, own.estimate, own.low, own.high, control, gain.is_sure, picture)
