"""Perturbation of persons' features along a component: displacement of the joints and effect on pose attributes.

    f_n +- c * sqrt(variance_i) * axis_i    person n, perturbed along component i and decoded
    f_n +- c * sqrt(variance_i) * u_r       control: random direction r with the covariance of the data, of the same length

The displacement is the distance between the joints of both ends. The effect on an attribute is its value at the upper end minus
its value at the lower end. A traversal from the mean is a single path: if the mean is between front and back views, any small
perturbation can flip it. Over many persons such flips cancel in an attribute unless the component causes them.

Two questions need two comparisons. Is the component above the average direction? The difference is paired by person, with an
interval over photographs. Is it above what a direction can be by chance? Every direction is compared with the component on the
same persons, and the fraction of directions that move them at least as far is the p-value over directions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval, resample_images
from posescope.explainability.components.pca import Components
from posescope.explainability.traversal.attribute_effects import AttributeEffect, AttributeScale, measure_effects
from posescope.explainability.traversal.random_directions import (
    assign_persons,
    covariance_directions,
    mean_joint_distances_px,
)

__all__ = ["Displacement", "Perturbation", "measure_displacement", "perturb_persons", "tabulate_displacements"]

_RANGE = (0.025, 0.975)
_MOVED = ("component", "direction", "person", "displacement_px")


@dataclass(frozen=True)
class Displacement:
    """Displacement of the joints between the lower and the upper end of a perturbation.

    Attributes:
        component: number, from 1.
        own: mean px per joint over persons, with its 95 % interval over photographs.
        random: mean px along the random directions, and the range of the middle 95 % of the directions.
        difference: mean over persons of the own displacement minus that along the random directions, with its interval over
            photographs.
        directions: number of random directions.
        farther: number of random directions that move their persons at least as far as the component moves the same persons.
    """

    component: int
    own: Interval
    random: Interval
    difference: Interval
    directions: int
    farther: int

    @property
    def direction_p_value(self) -> float:
        """One-sided p-value of the component among the random directions, 1 / (directions + 1) to 1."""
        return (1 + self.farther) / (1 + self.directions)


@dataclass(frozen=True)
class Perturbation:
    """Result of perturbing persons along the first components.

    Attributes:
        persons: number of persons.
        perturbation_sd: distance to each side, in standard deviations.
        displacements: one per component; empty if the persons are in fewer than two photographs.
        effects: one per component and attribute; empty in the same case.
        moved: one row per perturbation of a person: component, direction (0: the component, others from 1), person (row), and
            displacement_px.
    """

    persons: int
    perturbation_sd: float
    displacements: tuple[Displacement, ...] = ()
    effects: tuple[AttributeEffect, ...] = ()
    moved: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=_MOVED), compare=False)


def perturb_persons(
    components: Components,
    count: int,
    perturbation_sd: float,
    *,
    features: NDArray[np.floating],
    groups: NDArray[np.int64],
    scales: Mapping[str, AttributeScale],
    directions: int,
    persons_each: int,
    decode: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    measure_attributes: Callable[[NDArray[np.float32]], pd.DataFrame],
    seed: int,
) -> Perturbation:
    """Perturb persons along the first components and along random directions, and measure displacements and effects.

    Args:
        components: the components.
        count: number of first components.
        perturbation_sd: c, distance to each side, in standard deviations.
        features: (n, D) of the persons.
        groups: (n,) photograph of each person.
        scales: scales of the attributes to measure.
        directions: R, random directions per component.
        persons_each: m, persons per random direction.
        decode: function from (M, D) points to (M, K, 2) joints, px; called once per component with 2 (n + R m) points.
        measure_attributes: function from (M, K, 2) joints to one row of pose attributes each.
        seed: random seed of the random directions and the resamples.

    Returns:
        Displacements and effects by component.
    """
    if len(np.unique(groups)) < 2:
        return Perturbation(len(features), perturbation_sd)
    # An interval widened for m comparisons ends at the 0.025 / m quantiles; beyond each there are at least twenty resamples.
    draws = resample_images(groups, seed, max(1000, 800 * len(scales)))
    displacements: list[Displacement] = []
    effects: list[AttributeEffect] = []
    tables: list[pd.DataFrame] = []
    for component in range(count):
        rng = np.random.default_rng((seed, component))
        drawn = covariance_directions(components, directions, rng)
        rows = assign_persons(len(features), directions, persons_each, rng)
        length = perturbation_sd * float(np.sqrt(components.variances[component]))
        joints = decode(_perturbed(features, components.axes[component], drawn, rows, length))
        moved = mean_joint_distances_px(*joints.reshape(2, -1, *joints.shape[1:]))
        own, random = moved[: len(features)], moved[len(features) :].reshape(rows.shape)
        displacements.append(measure_displacement(component + 1, own, random, rows, draws, groups))
        tables.append(_tabulate_moved(component + 1, own, random, rows))
        if scales:
            effects += measure_effects(component + 1, measure_attributes(joints), rows, scales, draws, groups)
    return Perturbation(
        len(features), perturbation_sd, tuple(displacements), tuple(effects), pd.concat(tables, ignore_index=True)
    )


def _perturbed(
    features: NDArray[np.floating],
    axis: NDArray[np.float64],
    drawn: NDArray[np.float64],
    rows: NDArray[np.int64],
    length: float,
) -> NDArray[np.float64]:
    """Return the lower ends of all persons along the axis and of `rows` along each direction, then all upper ends."""
    chosen = np.concatenate([np.arange(len(features)), rows.ravel()])
    along = length * np.concatenate([np.tile(axis, (len(features), 1)), np.repeat(drawn, rows.shape[1], axis=0)])
    ends = features[chosen].astype(np.float64) + np.stack([-along, along])
    points: NDArray[np.float64] = ends.reshape(-1, features.shape[1])
    return points


def _tabulate_moved(
    component: int, own: NDArray[np.float64], random: NDArray[np.float64], rows: NDArray[np.int64]
) -> pd.DataFrame:
    """Tabulate the displacement of every perturbed person."""
    directions = np.concatenate([np.zeros(len(own), dtype=np.int64), np.repeat(np.arange(len(rows)) + 1, rows.shape[1])])
    persons = np.concatenate([np.arange(len(own)), rows.ravel()])
    columns = (component, directions, persons, np.concatenate([own, random.ravel()]))
    return pd.DataFrame(dict(zip(_MOVED, columns, strict=True)))


def measure_displacement(
    component: int,
    own: NDArray[np.float64],
    random: NDArray[np.float64],
    rows: NDArray[np.int64],
    draws: ImageResamples,
    groups: NDArray[np.int64],
) -> Displacement:
    """Compare the displacement by a component with that by random directions.

    Args:
        component: number, from 1.
        own: (n,) displacement of each person by the component, px.
        random: (R, m) displacement of m persons by each of R random directions, px.
        rows: (R, m) rows of these persons.
        draws: bootstrap resamples of photographs.
        groups: (n,) photograph of each person.
    """
    total, times = (np.bincount(rows.ravel(), weights, minlength=len(own)) for weights in (random.ravel(), np.ones(rows.size)))
    expected = np.divide(total, times, out=np.full(len(own), np.nan), where=times > 0)  # per person, over its directions
    means = random.mean(axis=1)
    low, high = np.quantile(means, _RANGE)
    return Displacement(
        component,
        own=draws.mean_interval(own, groups),
        random=Interval(float(means.mean()), float(low), float(high)),
        difference=draws.mean_interval(own - expected, groups),
        directions=len(random),
        farther=int((means >= own[rows].mean(axis=1)).sum()),
    )


def tabulate_displacements(components: Components, count: int, displacements: Sequence[Displacement]) -> pd.DataFrame:
    """Tabulate the displacement of the joints by each component and by random directions.

    Args:
        components: the components.
        count: number of traversed components.
        displacements: one per traversed component; if empty, the columns are NaN.

    Returns:
        Columns component, explained_variance_ratio; displacement_px, random_displacement_px (of the average direction, range over
        directions) and difference_px, each with its ends _low and _high; directions, directions_farther, direction_p_value.
    """
    parts = {"displacement_px": "own", "random_displacement_px": "random", "difference_px": "difference"}
    columns = {
        f"{name}{end}": [getattr(getattr(one, part), field) for one in displacements] or np.nan
        for name, part in parts.items()
        for end, field in (("", "estimate"), ("_low", "low"), ("_high", "high"))
    }
    return pd.DataFrame(
        {
            "component": np.arange(1, count + 1),
            "explained_variance_ratio": components.explained_variance_ratio[:count],
            **columns,
            "directions": [one.directions for one in displacements] or 0,
            "directions_farther": [one.farther for one in displacements] or 0,
            "direction_p_value": [one.direction_p_value for one in displacements] or np.nan,
        }
    )
