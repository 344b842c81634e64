"""What the walks claim, each against its control.

agreement    decoded steps and their nearest persons' predictions        against pairs drawn at random
movement     of the skeleton between the mean and the ends of a walk     against random directions of the same length
among people distance of the ends to the nearest person, as a quantile   against the same
attribute    the one that a walk changes most, in spreads of people      against the largest change, of any, of the same
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explain.attributes import attribute_named
from posescope.explain.findings import Finding, control_of
from posescope.explain.walk_controls import Ends, EndsOfWalk, mean_distances
from posescope.explain.walk_distance import Spacing
from posescope.metrics.confidence import Interval
from posescope.metrics.resampling import draw_images

__all__ = [
    "AttributeChange",
    "claim_agreement",
    "claim_attribute",
    "claim_closeness",
    "claim_movement",
    "describe_changes",
    "strongest_change",
]

_RANGE = (0.025, 0.975)
_PERMUTATIONS = 1000


@dataclass(frozen=True)
class AttributeChange:
    """The pose attribute that a walk changes most.

    Attributes:
        name: of the attribute.
        low, high: its value at the two ends.
        spreads: the change in spreads of people (half the range of the middle 68 %), absolute.
        control: the largest change of any attribute along random directions: median and 95 % range.
    """

    name: str
    low: float
    high: float
    spreads: float
    control: Interval


def claim_agreement(
    decoded: NDArray[np.float32], predicted: NDArray[np.float32], groups: NDArray[np.int64], picture: str, seed: int
) -> Finding | None:
    """Whether steps mean to the network what they look like in the nearest people; none with less than two of those.

    Args:
        decoded: (M, K, 2) joints of distinct points.
        predicted: (M, K, 2) joints of the nearest person of each.
        groups: (M,) the photographs of those persons.
        picture: that shows it.
        seed: of permutations and resamples.
    """
    if len(np.unique(groups)) < 2:
        return None
    pairs = mean_distances(decoded[:, None], predicted[None])
    own = draw_images(groups, seed).mean_interval(np.diagonal(pairs).copy(), groups)
    chance = _of_permutations(pairs, seed)
    passed = own.high < chance.low
    verdict = "so steps mean to the network what they look like in people" if passed else "which is not surely nearer"
    claim = (
        f"A decoded step and the network's answer for its nearest real person lie {own.estimate:.1f} px a joint apart "
        f"[{own.low:.1f}, {own.high:.1f}], steps and persons paired at random {chance.estimate:.1f} px, {verdict}."
    )
    control = control_of("steps and nearest persons paired at random", chance)
    return Finding(claim, own.estimate, own.low, own.high, control, passed, picture)


def claim_movement(component: int, ends: Ends, walk: EndsOfWalk, picture: str) -> Finding:
    """How far a component moves the skeleton."""
    own, chance = float(walk.moved_px[0]), _range_of(walk.moved_px[1:])
    passed = own > chance.high
    claim = (
        f"Component {component} moves the skeleton {own:.1f} px a joint at {ends}, random directions of the same length "
        f"{chance.estimate:.1f} px [{chance.low:.1f}, {chance.high:.1f}]{'.' if passed else ': no more than any push does.'}"
    )
    return Finding(claim, own, None, None, control_of("random directions of the same length", chance), passed, picture)


def claim_closeness(ends: Ends, distances: NDArray[np.float64], spacing: Spacing, seed: int, picture: str) -> Finding | None:
    """Whether the ends of the walks still lie among people; none where no person has a neighbour.

    Args:
        ends: how far they are.
        distances: (P, 1 + R, E) to the nearest person: of P components, then of R random directions for each; of E ends.
        spacing: of people.
        seed: of the resamples.
        picture: that shows it.
    """
    if not len(spacing.distances):
        return None
    draws = draw_images(spacing.groups, seed)
    own = draws.mean_interval(spacing.nearer(distances[:, 0].ravel()).mean(axis=0), spacing.groups)
    chance = draws.mean_interval(spacing.nearer(distances[:, 1:].ravel()).mean(axis=0), spacing.groups)
    passed = own.high < min(chance.low, 0.95)
    verdict = "stay among people" if passed else "leave the data"
    claim = (
        f"At {ends} the walks {verdict}: the nearest person is farther than {own.estimate:.0%} [{own.low:.0%}, {own.high:.0%}] "
        f"of people's own neighbours are; along random directions of the same length, than {chance.estimate:.0%}."
    )
    control = control_of("random directions of the same length", chance)
    return Finding(claim, own.estimate, own.low, own.high, control, passed, picture)


def strongest_change(walk: EndsOfWalk, spreads: Mapping[str, float]) -> AttributeChange | None:
    """The attribute that a walk changes most; none where neither end tells of any.

    Args:
        walk: decoded ends, of the component and of random directions.
        spreads: of people, by attribute; only these are looked at.
    """
    if not spreads:
        return None
    changes = np.abs(np.stack([walk.changes(name) / spread for name, spread in spreads.items()]))  # (A, 1 + R)
    changes = np.nan_to_num(changes, nan=-1.0)
    best = int(changes[:, 0].argmax())
    if changes[best, 0] < 0:
        return None
    name = list(spreads)[best]
    low, high = (float(value) for value in walk.poses[name].to_numpy()[:2])
    return AttributeChange(name, low, high, float(changes[best, 0]), _range_of(np.maximum(changes[:, 1:].max(axis=0), 0.0)))


def claim_attribute(component: int, ends: Ends, change: AttributeChange, picture: str) -> Finding:
    """What a component means, by what it does to the decoded skeleton."""
    attribute, chance = attribute_named(change.name), change.control
    passed = change.spreads > chance.high
    words = (attribute.low, attribute.high) if change.high > change.low else (attribute.high, attribute.low)
    course = f"takes the decoded skeleton from {words[0]} to {words[1]}" if passed else "does not surely change the decoded pose"
    unit = f" {attribute.unit}" if attribute.unit else ""
    claim = (
        f"Component {component} {course}: {change.name.replace('_', ' ')} goes from {change.low:.2f} to {change.high:.2f}{unit} "
        f"at {ends}, {change.spreads:.1f} spreads of people; along random directions no attribute changes by more than "
        f"{chance.high:.1f}."
    )
    what = "largest change of any attribute along random directions of the same length, in spreads of people"
    return Finding(claim, change.spreads, None, None, control_of(what, chance), passed, picture)


def describe_changes(changes: Sequence[AttributeChange | None]) -> pd.DataFrame:
    """A row a component: the attribute that it changes most."""
    return pd.DataFrame(
        [
            {"component": place, "attribute": None}
            if change is None
            else {
                "component": place,
                "attribute": change.name,
                "at_low_end": change.low,
                "at_high_end": change.high,
                "spreads": change.spreads,
                "random_spreads": change.control.estimate,
                "random_spreads_high": change.control.high,
            }
            for place, change in enumerate(changes, start=1)
        ]
    )


def _of_permutations(pairs: NDArray[np.float64], seed: int) -> Interval:
    """Mean of the pairs that permutations of the persons make, and its 95 % range."""
    rng, places = np.random.default_rng(seed), np.arange(len(pairs))
    return _range_of(np.array([pairs[places, rng.permutation(len(pairs))].mean() for _ in range(_PERMUTATIONS)]))


def _range_of(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, _RANGE)
    return Interval(float(np.median(values)), float(low), float(high))
