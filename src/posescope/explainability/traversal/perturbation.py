"""Perturbation of persons' features along a component: displacement of the joints and effect on pose attributes.

    f_n ± c * sqrt(variance_i) * axis_i    person n, perturbed along component i and decoded
    f_n ± c * sqrt(variance_i) * u_n       control: a random direction of the same length for each person

The displacement is the distance between the joints of both ends. The effect on an attribute is its value at the upper end minus
its value at the lower end. A traversal from the mean is a single path: if the mean is between front and back views, any small
perturbation can flip it. Over many persons such flips cancel in an attribute unless the component causes them. A displacement has
no sign and does not cancel, so it is compared with that of random directions for the same persons.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval, resample_images
from posescope.explainability.components.pca import Components
from posescope.explainability.traversal.random_directions import mean_joint_distances_px

__all__ = [
    "AttributeEffect",
    "AttributeScale",
    "Displacement",
    "Perturbation",
    "measure_effects",
    "measure_scale",
    "perturb_persons",
    "strongest_effects",
    "tabulate_effects",
]

_MIN_PERSONS = 10  # with a known attribute, to estimate its standard deviation


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
class Displacement:
    """Displacement of the joints between the lower and the upper end of a perturbation.

    Attributes:
        component: number, from 1.
        own: mean px per joint over persons; interval over images, widened for the number of components.
        random: the same along random directions.
    """

    component: int
    own: Interval
    random: Interval

    @property
    def is_significant(self) -> bool:
        """Whether the whole interval is above that of random directions."""
        return self.own.low > self.random.high


@dataclass(frozen=True)
class AttributeEffect:
    """Effect of a perturbation from the lower to the upper end on a pose attribute.

    Attributes:
        component: number, from 1.
        attribute: name.
        own: mean effect over persons, in standard deviations of the attribute; interval over images, widened for the number of
            attributes.
        random: the same along random directions.
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
        """Whether the interval excludes zero and is beyond that of random directions."""
        own, control = self.own, self.random
        return (own.low > max(0.0, control.high)) or (own.high < min(0.0, control.low))


@dataclass(frozen=True)
class Perturbation:
    """Result of perturbing persons along the first components.

    Attributes:
        persons: number of persons.
        perturbation_sd: distance to each side, in standard deviations.
        displacements: one per component; empty if the persons are in fewer than two images.
        effects: one per component and attribute; empty in the same case.
    """

    persons: int
    perturbation_sd: float
    displacements: tuple[Displacement, ...] = ()
    effects: tuple[AttributeEffect, ...] = ()


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


def perturb_persons(
    components: Components,
    count: int,
    perturbation_sd: float,
    *,
    features: NDArray[np.floating],
    groups: NDArray[np.int64],
    scales: Mapping[str, AttributeScale],
    decode: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    measure_attributes: Callable[[NDArray[np.float32]], pd.DataFrame],
    seed: int,
) -> Perturbation:
    """Perturb persons along the first components and measure displacements and effects.

    Args:
        components: the components.
        count: number of first components.
        perturbation_sd: c, distance to each side, in standard deviations.
        features: (n, D) of the persons.
        groups: (n,) image of each person.
        scales: scales of the attributes to measure.
        decode: function from (M, D) points to (M, K, 2) joints, px; called once per component with 4 n points.
        measure_attributes: function from (M, K, 2) joints to one row of pose attributes each.
        seed: random seed of the random directions and the resamples.

    Returns:
        Displacements and effects by component.
    """
    if len(np.unique(groups)) < 2:
        return Perturbation(len(features), perturbation_sd)
    # An interval widened for m comparisons ends at the 0.025 / m quantiles; beyond each there are at least twenty resamples.
    draws = resample_images(groups, seed, max(1000, 800 * max(count, len(scales))))
    rng = np.random.default_rng(seed)
    displacements: list[Displacement] = []
    effects: list[AttributeEffect] = []
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
        displacements.append(_measure_displacement(component + 1, joints, draws, groups, count))
        if scales:
            effects += measure_effects(component + 1, measure_attributes(joints), scales, draws, groups)
    return Perturbation(len(features), perturbation_sd, tuple(displacements), tuple(effects))


def measure_effects(
    component: int, poses: pd.DataFrame, scales: Mapping[str, AttributeScale], draws: ImageResamples, groups: NDArray[np.int64]
) -> list[AttributeEffect]:
    """Measure the effect of one component on every attribute.

    Args:
        component: number, from 1.
        poses: attributes of 4 n decoded skeletons: n at the lower end of the component, n at its upper end, and the same along
            random directions.
        scales: scales of the attributes to measure.
        draws: bootstrap resamples of images.
        groups: (n,) image of each person.

    Returns:
        One record per attribute; none for an attribute that no decoded skeleton has.
    """
    effects = []
    for name, scale in scales.items():
        values = poses[name].to_numpy(dtype=np.float64).reshape(2, 2, -1).clip(scale.low, scale.high)
        difference = (values[:, 1] - values[:, 0]) / scale.sd
        level = 1 - 0.05 / len(scales)
        own, control = (draws.mean_interval(of_direction, groups, level) for of_direction in difference)
        if own.is_known and control.is_known:
            known = ~np.isnan(difference[0])
            low, high = (float(ends[known].mean()) for ends in values[0])
            effects.append(AttributeEffect(component, name, own, control, low, high))
    return effects


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


def _measure_displacement(
    component: int, joints: NDArray[np.float32], draws: ImageResamples, groups: NDArray[np.int64], components: int
) -> Displacement:
    ends = joints.reshape(2, 2, len(groups), *joints.shape[1:])
    level = 1 - 0.05 / components
    own, control = (draws.mean_interval(moved, groups, level) for moved in mean_joint_distances_px(ends[:, 0], ends[:, 1]))
    return Displacement(component, own, control)
