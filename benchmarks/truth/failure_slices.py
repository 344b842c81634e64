"""Planted truth of failure slices: 2,000 persons in photographs of 1 to 6, and a PCK whose cause is known.

A person has 20 attributes (of them five known properties: size, truncated, crowding, labelled, occluded; some attributes are
unknown for many persons) and 25 component scores. Persons of a photograph are alike in their scores and in their PCK. The PCK is
a skewed fraction of 17 joints.

    slice        PCK lower by 0.3 for the 8 % of the persons with the largest score of component 9
    nothing      PCK independent of all columns
    confounder   PCK falls with the fraction of occluded joints, and component 9 correlates with that fraction (0.85); once with
                 the fraction among the columns that rules may use, once without it
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.failure_slices.cross_fitting import SearchOptions
from posescope.explainability.failure_slices.rules import as_columns
from posescope.explainability.failure_slices.slice_judgement import JudgedSlice, find_failure_slices

PERSONS = 2000
COMPONENTS = 25
PLANTED = "component_9"
SHARE = 0.08
GAP = 0.3
STRATA = ("size", "truncated", "crowding", "labelled", "occluded")
OTHERS = ("standing", "torso_tilt", "hip_angle", "knee_angle", "arms_raised", "elbow_angle", "facing", "looking_right", "reach",
          "legs_apart", "legs_labelled", "neighbour_offset", "brightness", "contrast", "detail")  # fmt: skip
DATA_SETS = 50
OPTIONS = SearchOptions()
# Where an effect is planted its p value is far below 0.01: fewer searches on permuted PCK save time.
FEW_PERMUTATIONS = SearchOptions(permutations=20)


@dataclass(frozen=True)
class PlantedPersons:
    """Columns (N rows), photograph and PCK of each person, and the planted members."""

    columns: pd.DataFrame
    groups: NDArray[np.int64]
    pck: NDArray[np.float64]
    members: NDArray[np.bool_]


def run(most: int | None) -> dict[str, Any]:
    """Measure the bars.

    Args:
        most: maximum number of data sets per bar; none: all.
    """
    count = DATA_SETS if most is None else min(most, DATA_SETS)
    planted = [_find(make_slice(seed), seed) for seed in range(count)]
    nothing = [_find(make_null(1000 + seed), seed, options=OPTIONS) for seed in range(count)]
    own = [_find(make_confounded(2000 + seed), seed) for seed in range(count)]
    hidden = [_find(make_confounded(2000 + seed), seed, without=("occluded",)) for seed in range(count)]
    found = [_agreement(found, data) for data, found in planted]
    return {
        "slice of 8 % found": _at_least([min(one) >= 0.8 for one in found], 0.9),
        "its gap within its interval": _at_least([_covers(found) for _, found in planted], 0.8),
        "slice not explained away": _at_least([_of_planted(found, explained=False) for _, found in planted], 0.9),
        "nulls with a claim": _at_most([bool(_claimed(found)) for _, found in nothing], 0.06),
        "confounder: names the property": _at_least([_names_occluded(found) for _, found in own], 0.9),
        "confounder: component explained by it": _at_least([_of_planted(found, explained=True) for _, found in hidden], 0.9),
    }


def _at_least(outcomes: list[bool], fraction: float) -> dict[str, Any]:
    bar = round(fraction * len(outcomes))
    return {"count": int(sum(outcomes)), "of": len(outcomes), "bar": f">= {bar}", "met": bool(sum(outcomes) >= bar)}


def _at_most(outcomes: list[bool], fraction: float) -> dict[str, Any]:
    bar = round(fraction * len(outcomes))
    return {"count": int(sum(outcomes)), "of": len(outcomes), "bar": f"<= {bar}", "met": bool(sum(outcomes) <= bar)}


def _find(
    data: PlantedPersons, seed: int, without: tuple[str, ...] = (), options: SearchOptions = FEW_PERMUTATIONS
) -> tuple[PlantedPersons, tuple[JudgedSlice, ...]]:
    strata = data.columns[list(STRATA)]
    searched = data.columns.drop(columns=list(without))
    return data, find_failure_slices(searched, strata, data.pck, data.groups, options, seed)


def _claimed(found: tuple[JudgedSlice, ...]) -> list[JudgedSlice]:
    return [one for one in found if one.is_claimed]


def _agreement(found: tuple[JudgedSlice, ...], data: PlantedPersons) -> tuple[float, float]:
    """Precision and recall of the claimed rule that fits the planted members best, as it is stated in words."""
    scores = [(0.0, 0.0)]
    for one in _claimed(found):
        inside = one.rule.covers(as_columns(data.columns))
        both = float((inside & data.members).sum())
        scores.append((both / max(inside.sum(), 1), both / data.members.sum()))
    return max(scores, key=min)


def _covers(found: tuple[JudgedSlice, ...]) -> bool:
    """Whether the planted gap lies within the interval of the claimed slice of the planted component."""
    own = [one for one in _claimed(found) if PLANTED in one.rule.features]
    return bool(own) and own[0].gap.low <= GAP <= own[0].gap.high


def _of_planted(found: tuple[JudgedSlice, ...], *, explained: bool) -> bool:
    """Whether there is a claimed slice of the planted component, and every such slice is (not) explained by occlusion."""
    own = [one for one in _claimed(found) if PLANTED in one.rule.features]
    return bool(own) and all((one.explained_by == "occluded") if explained else (one.explained_by == "") for one in own)


def _names_occluded(found: tuple[JudgedSlice, ...]) -> bool:
    """Whether something is claimed, and each claimed slice has the fraction in its rule or is explained by it."""
    claimed = _claimed(found)
    return bool(claimed) and all("occluded" in one.rule.features or one.explained_by == "occluded" for one in claimed)


def make_slice(seed: int, persons: int = PERSONS) -> PlantedPersons:
    """PCK lower by 0.3 for the 8 % of the persons with the largest score of component 9."""
    rng = np.random.default_rng(seed)
    columns, groups = _columns(rng, persons)
    score = columns[PLANTED].to_numpy()
    members = score > np.quantile(score, 1 - SHARE)
    return PlantedPersons(columns, groups, _pck(rng, groups, np.where(members, GAP, 0.0)), members)


def make_null(seed: int, persons: int = PERSONS) -> PlantedPersons:
    """PCK independent of all columns."""
    rng = np.random.default_rng(seed)
    columns, groups = _columns(rng, persons)
    return PlantedPersons(columns, groups, _pck(rng, groups, np.zeros(persons)), np.zeros(persons, dtype=bool))


def make_confounded(seed: int, persons: int = PERSONS) -> PlantedPersons:
    """PCK falls with the fraction of occluded joints, to which component 9 correlates with 0.85."""
    rng = np.random.default_rng(seed)
    columns, groups = _columns(rng, persons)
    rank = columns["occluded"].rank(pct=True).to_numpy()
    normal = (rank - rank.mean()) / rank.std()
    columns[PLANTED] = 0.85 * normal + np.sqrt(1 - 0.85**2) * rng.normal(size=persons)
    drop = 0.45 * columns["occluded"].to_numpy()
    return PlantedPersons(columns, groups, _pck(rng, groups, drop), np.zeros(persons, dtype=bool))


def _columns(rng: np.random.Generator, persons: int) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    sizes = rng.integers(1, 7, size=persons)
    groups = np.repeat(np.arange(persons), sizes)[:persons]
    makers: dict[str, Callable[[], NDArray[np.float64]]] = {
        "size": lambda: rng.normal(7, 1, persons),
        "truncated": lambda: (rng.random(persons) < 0.2).astype(np.float64),
        "crowding": lambda: rng.poisson(0.6, persons).astype(np.float64),
        "labelled": lambda: rng.integers(5, 18, persons).astype(np.float64),
        "occluded": lambda: rng.beta(0.8, 4, persons),
    }
    values = {name: make() for name, make in makers.items()}
    mixing = rng.normal(size=(4, len(OTHERS))) * 0.7
    factors = _alike(rng, groups, 4, 0.3)
    others = factors @ mixing + rng.normal(size=(persons, len(OTHERS)))
    for column, name in enumerate(OTHERS):
        unknown = rng.random(persons) < (0.0 if column >= 12 else rng.choice([0.05, 0.2, 0.45]))
        values[name] = np.where(unknown, np.nan, others[:, column])
    scores = _alike(rng, groups, COMPONENTS, 0.2) + 0.3 * factors @ rng.normal(size=(4, COMPONENTS))
    heavy = scores * np.sqrt(5 / rng.chisquare(5, size=(persons, 1)))
    values |= {f"component_{column + 1}": heavy[:, column] for column in range(COMPONENTS)}
    return pd.DataFrame(values), groups.astype(np.int64)


def _alike(rng: np.random.Generator, groups: NDArray[np.int64], columns: int, shared: float) -> NDArray[np.float64]:
    """Draw normal values of which a fraction `shared` of the variance is the photograph's."""
    of_photograph = rng.normal(size=(groups.max() + 1, columns))[groups]
    return np.sqrt(shared) * of_photograph + np.sqrt(1 - shared) * rng.normal(size=(len(groups), columns))


def _pck(rng: np.random.Generator, groups: NDArray[np.int64], drop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Skewed fractions of 17 joints, alike within a photograph, with the mean lowered by `drop`."""
    normal = _alike(rng, groups, 1, 0.3)[:, 0]
    # Most persons near 0.95, a tail of failures; the mean is about 0.83.
    base = 1 / (1 + np.exp(-(2.2 + 1.3 * normal)))
    return rng.binomial(17, np.clip(base - drop, 0.0, 1.0)) / 17
