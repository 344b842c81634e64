"""Effect of a perturbation along a component on pose attributes, compared with random directions.

The effect is the attribute at the upper end minus that at the lower end. Random directions have either sign, so the size of their
effects is compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval

__all__ = ["AttributeEffect", "AttributeScale", "measure_effects", "measure_scale", "strongest_effects", "tabulate_effects"]

_MIN_PERSONS = 10  # with a known attribute, to estimate its standard deviation
_RANGE = (0.025, 0.975)


@dataclass(frozen=True)
class AttributeScale:
    """Variation of one attribute over persons.

    Attributes:
        sd: robust standard deviation, half the range of the middle 68 %.
        low, high: limits of the middle 96 %, to which values are clipped.
    """

    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class AttributeEffect:
    """Effect of a perturbation from the lower to the upper end on a pose attribute.

    Attributes:
        component: number, from 1.
        attribute: name.
        own: mean effect over persons, in standard deviations of the attribute; interval over photographs, widened for the number
            of attributes.
        random: mean absolute effect of a random direction, and the range of the middle 95 % of the directions.
        low, high: mean value at the two ends, in the attribute's unit.
    """

    component: int
    attribute: str
    own: Interval
    random: Interval
    low: float
    high: float

    @property
    def least(self) -> float:
        """Lower bound of the absolute effect; negative if the interval contains zero."""
        return max(self.own.low, -self.own.high)

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes zero and the effect exceeds those of the random directions."""
        return self.least > 0 and abs(self.own.estimate) > self.random.high


def measure_scale(poses: pd.DataFrame) -> dict[str, AttributeScale]:
    """Estimate the scale of each attribute that is known for at least ten persons and varies between them."""
    scales: dict[str, AttributeScale] = {}
    for name, values in poses.items():
        known = values.dropna().to_numpy(dtype=np.float64)
        if len(known) < _MIN_PERSONS:
            continue
        low, below, above, high = (float(value) for value in np.quantile(known, [0.02, 0.16, 0.84, 0.98]))
        if above > below:
            scales[str(name)] = AttributeScale((above - below) / 2, low, high)
    return scales


def measure_effects(
    component: int,
    poses: pd.DataFrame,
    rows: NDArray[np.int64],
    scales: Mapping[str, AttributeScale],
    draws: ImageResamples,
    groups: NDArray[np.int64],
) -> list[AttributeEffect]:
    """Measure the effect of one component on every attribute.

    Args:
        component: number, from 1.
        poses: attributes of 2 (n + R m) decoded skeletons: at the lower ends of the component (n) and of the random directions
            (R m), and the same at the upper ends.
        rows: (R, m) rows of the persons of each random direction.
        scales: scales of the attributes to measure.
        draws: bootstrap resamples of photographs.
        groups: (n,) photograph of each person.

    Returns:
        One record per attribute; none for an attribute that no decoded skeleton has.
    """
    effects = []
    for name, scale in scales.items():
        ends = poses[name].to_numpy(dtype=np.float64).reshape(2, -1).clip(scale.low, scale.high)
        difference = (ends[1] - ends[0]) / scale.sd
        own = draws.mean_interval(difference[: len(groups)], groups, 1 - 0.05 / len(scales))
        control = _absolute_means(difference[len(groups) :].reshape(rows.shape))
        if own.is_known and control.is_known:
            known = ~np.isnan(difference[: len(groups)])
            low, high = (float(end[: len(groups)][known].mean()) for end in ends)
            effects.append(AttributeEffect(component, name, own, control, low, high))
    return effects


def _absolute_means(effects: NDArray[np.float64]) -> Interval:
    """Return mean and range of the absolute mean effects of (R, m) effects; NaN where no person has the attribute."""
    known = ~np.isnan(effects)
    some = known.any(axis=1)
    if not some.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    means = np.abs(np.where(known, effects, 0.0).sum(axis=1)[some] / known.sum(axis=1)[some])
    low, high = np.quantile(means, _RANGE)
    return Interval(float(means.mean()), float(low), float(high))


def strongest_effects(effects: Sequence[AttributeEffect]) -> list[AttributeEffect]:
    """Return the effect with the largest lower bound for each component."""
    best: dict[int, AttributeEffect] = {}
    for effect in effects:
        known = best.get(effect.component)
        if known is None or effect.least > known.least:
            best[effect.component] = effect
    return list(best.values())


def tabulate_effects(effects: Sequence[AttributeEffect]) -> pd.DataFrame:
    """Tabulate effects in standard deviations with their intervals and controls, one row per component and attribute."""
    names = ["component", "attribute", "at_low_end", "at_high_end", "effect", "effect_low", "effect_high"]
    rows = [(one.component, one.attribute, one.low, one.high, *astuple(one.own), *astuple(one.random)) for one in effects]
    return pd.DataFrame(rows, columns=[*names, "random_effect", "random_effect_low", "random_effect_high"])
