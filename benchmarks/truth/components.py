"""Names of components in data whose answer is known.

    correlate component 1 is made by attribute A, known for all persons. Attribute B follows A (correlation 0.7 to 0.95), but is
              known for 6 to 30 % of the persons at the high end. Both ends must be named by A, or by B being unknown
    rare      component 1 is made by A. B follows component 1 closely (R2 0.8 to 0.95) among the persons with a known B: 30
              to 50 % of all, of these 6 to 30 % at the high end. Both ends must be named by A, or by B being unknown
    one_sided A (0 for most persons) makes the high end of component 1, where B is known for 6 to 30 %; B follows the component
              elsewhere (R2 0.2 to 0.6). The high end must be named by A or by B being unknown, the low end by either
    unknown   component 1 is made by whether B is known (legs out of view), no other attribute is related
    random    component 1 is made by B, which is unknown for 40 % of all persons at random; A follows B with correlation 0.7
    ends      component 1 is A at its high end and C at its low end
    interval  component 1 is A, unknown for 20 % at random, and noise; persons of a photograph are alike. The 95 % interval of the
              share contains the true share
    null      attributes without any relation to the components: independent, persons of a photograph alike, skewed, heavy tails,
              binary, unknown at random, unknown by photograph

Each data set has 1,900 fitted and 360 judged persons, ten components and twelve attributes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.components.attribute_shares import ProbedPersons
from posescope.explainability.components.component_titles import ComponentName, name_scores

__all__ = ["BARS", "NULL_KINDS", "count_false_names", "name_planted", "run"]

Floats = NDArray[np.float64]
Plant = Callable[[np.random.Generator, int], tuple[Floats, dict[str, Floats]]]

PERSONS, JUDGED, COMPONENTS, ATTRIBUTES = 1900, 360, 10, 12
NULL_KINDS = ("independent", "photographs", "skewed", "heavy", "binary", "unknown_at_random", "unknown_by_photograph")


def _plant_correlate(rng: np.random.Generator, count: int) -> tuple[Floats, dict[str, Floats]]:
    """Make component 1 of A; B follows A and is known for few persons at the high end."""
    a = rng.normal(size=count)
    component = a + rng.uniform(0.3, 0.9) * rng.normal(size=count)
    correlation = rng.uniform(0.7, 0.95)
    b = correlation * a + np.sqrt(1 - correlation**2) * rng.normal(size=count)
    return component, {"a": a, "b": _hide(b, component > np.quantile(component, rng.uniform(0.6, 0.9)), rng)}


def _plant_rare(rng: np.random.Generator, count: int) -> tuple[Floats, dict[str, Floats]]:
    """Make component 1 of A; B follows the component closely and is known for a minority."""
    a = rng.normal(size=count)
    component = a + rng.uniform(0.3, 0.7) * rng.normal(size=count)
    b = component / component.std() + rng.uniform(0.23, 0.5) * rng.normal(size=count)
    b = np.where(rng.random(count) < rng.uniform(0.3, 0.5), b, np.nan)
    return component, {"a": a, "b": _hide(b, component > np.quantile(component, rng.uniform(0.6, 0.9)), rng)}


def _plant_one_sided(rng: np.random.Generator, count: int) -> tuple[Floats, dict[str, Floats]]:
    """Make the high end of component 1 of A; B follows the component elsewhere."""
    a = np.where(rng.random(count) < rng.uniform(0.08, 0.2), rng.uniform(0.5, 1.0, count), 0.0)
    rest = rng.normal(size=count)
    explained = rng.uniform(0.2, 0.6)
    b = np.sqrt(explained) * rest + np.sqrt(1 - explained) * rng.normal(size=count)
    return rng.uniform(4, 6) * a + rest, {"a": a, "b": _hide(b, a > 0, rng)}


def _hide(values: Floats, chosen: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Keep 6 to 30 % of the chosen values, and all others."""
    hidden: Floats = np.where(chosen & (rng.random(len(values)) > rng.uniform(0.06, 0.3)), np.nan, values)
    return hidden


def _plant_unknown(rng: np.random.Generator, count: int) -> tuple[Floats, dict[str, Floats]]:
    """Make component 1 of whether B is unknown; B follows the rest of the component a little."""
    unknown = rng.random(count) < rng.uniform(0.06, 0.3)
    rest = rng.normal(size=count)
    component = rng.uniform(4, 8) * unknown + rest
    b = 0.5 * rest + rng.normal(size=count)
    return component, {"b": np.where(unknown, np.nan, b)}


def _plant_unknown_at_random(rng: np.random.Generator, count: int) -> tuple[Floats, dict[str, Floats]]:
    """Make component 1 of B, which is unknown for 40 % of all; A follows B."""
    b = rng.normal(size=count)
    a = 0.7 * b + np.sqrt(1 - 0.7**2) * rng.normal(size=count)
    component = b + rng.uniform(0.1, 0.4) * rng.normal(size=count)
    return component, {"a": a, "b": np.where(rng.random(count) < 0.4, np.nan, b)}


def _plant_two_ends(rng: np.random.Generator, count: int) -> tuple[Floats, dict[str, Floats]]:
    """Make the high end of component 1 of A and the low end of C; each is about 0 for the others."""
    kind = rng.random(count)
    a = np.where(kind > 0.8, rng.uniform(2, 4, count), rng.normal(0, 0.3, count))
    c = np.where(kind < 0.2, rng.uniform(2, 4, count), rng.normal(0, 0.3, count))
    return a - c + rng.normal(size=count), {"a": a, "c": c}


@dataclass(frozen=True)
class _Bar:
    """A kind of planted data, the right words for the low and for the high end, number of data sets and of right names."""

    plant: Plant
    low: frozenset[str]
    high: frozenset[str]
    of: int = 50
    least: int = 49


BARS = {
    "planted_correlate": _Bar(_plant_correlate, frozenset({"low a", "b known"}), frozenset({"high a", "b unknown"})),
    "planted_rare": _Bar(_plant_rare, frozenset({"low a", "b known"}), frozenset({"high a", "b unknown"})),
    "planted_one_sided": _Bar(_plant_one_sided, frozenset({"low a", "low b", "b known"}), frozenset({"high a", "b unknown"})),
    "planted_unknown": _Bar(_plant_unknown, frozenset({"b known", "low b"}), frozenset({"b unknown"})),
    "planted_unknown_at_random": _Bar(_plant_unknown_at_random, frozenset({"low b"}), frozenset({"high b"})),
    "planted_two_ends": _Bar(_plant_two_ends, frozenset({"high c"}), frozenset({"high a"})),
}


def run(most: int | None) -> dict[str, Any]:
    """Count the right names of planted components and the false names of null data.

    Args:
        most: maximum number of data sets per bar; none: all.
    """
    results = {}
    for name, bar in BARS.items():
        of = min(bar.of, most or bar.of)
        least = int(np.ceil(bar.least / bar.of * of))
        names = [name_planted(bar.plant, seed) for seed in range(of)]
        count = sum(found.low in bar.low and found.high in bar.high for found in names)
        results[name] = {"count": count, "of": of, "bar": f"at least {least}", "met": count >= least}
    of = min(100, most or 100)
    covered = sum(covers_true_share(seed) for seed in range(of))
    least = int(np.ceil(0.9 * of))
    results["interval_contains_share"] = {"count": covered, "of": of, "bar": f"at least {least}", "met": covered >= least}
    of = min(10, most or 10) * len(NULL_KINDS)
    counts = [count_false_names(kind, seed) for kind in NULL_KINDS for seed in range(of // len(NULL_KINDS))]
    false_sets, tried = sum(count > 0 for count in counts), of * COMPONENTS
    results["null_data_sets_with_a_name"] = {"count": false_sets, "of": of, "bar": "at most 0", "met": false_sets == 0}
    allowed = tried // 100
    results["null_names"] = {"count": sum(counts), "of": tried, "bar": f"at most {allowed}", "met": sum(counts) <= allowed}
    return results


def name_planted(plant: Plant, seed: int) -> ComponentName:
    """Name component 1 of one planted data set."""
    rng = np.random.default_rng([seed, 1])
    count = PERSONS + JUDGED
    component, planted = plant(rng, count)
    scores = np.column_stack([component, rng.normal(size=(count, COMPONENTS - 1))])
    others = {f"other_{i}": rng.normal(size=count) for i in range(ATTRIBUTES - len(planted))}
    groups = np.arange(count) // 2
    return _name(scores, pd.DataFrame({**planted, **others}), groups, seed)[0]


def covers_true_share(seed: int) -> bool:
    """Whether the interval of the share of component 1 contains the share that A has by construction."""
    rng = np.random.default_rng([seed, 3])
    count = PERSONS + JUDGED
    groups = np.sort(rng.integers(0, count // 3, count))
    a, noise, *others = np.sqrt(0.5) * rng.normal(size=(12, count))[:, groups] + np.sqrt(0.5) * rng.normal(size=(12, count))
    share, known = rng.uniform(0.2, 0.8), 0.8
    scores = np.column_stack([np.sqrt(share) * a + np.sqrt(1 - share) * noise, *others[: COMPONENTS - 1]])
    attributes = pd.DataFrame({"a": np.where(rng.random(count) < known, a, np.nan), "other": others[-1]})
    found = _name(scores, attributes, groups, seed)[0].share
    return found.low <= known * share <= found.high


def count_false_names(kind: str, seed: int) -> int:
    """Name the components of one null data set and count the names."""
    rng = np.random.default_rng([seed, 2, NULL_KINDS.index(kind)])
    count = PERSONS + JUDGED
    groups = np.sort(rng.integers(0, count // (8 if "photograph" in kind else 2), count))
    alike = 0.8 if kind == "photographs" else 0.0

    def draw(columns: int) -> Floats:
        by_photograph = rng.normal(size=(count, columns))[groups]
        values: Floats = np.sqrt(alike) * by_photograph + np.sqrt(1 - alike) * rng.normal(size=(count, columns))
        return values

    attributes = {
        "skewed": lambda values: np.exp(1.5 * values),
        "heavy": lambda values: values / np.sqrt(rng.chisquare(2, values.shape) / 2),
        "binary": lambda values: (values > 1.6).astype(np.float64),
        "unknown_at_random": lambda values: np.where(rng.random(values.shape) < 0.5, np.nan, values),
        "unknown_by_photograph": lambda values: np.where(rng.random(values.shape)[groups] < 0.3, np.nan, values),
    }.get(kind, lambda values: values)(draw(ATTRIBUTES))
    scores = np.exp(draw(COMPONENTS)) if kind == "skewed" else draw(COMPONENTS)
    names = _name(scores, pd.DataFrame(attributes, columns=[f"other_{i}" for i in range(ATTRIBUTES)]), groups, seed)
    return sum(name.is_named for name in names)


def _name(scores: Floats, attributes: pd.DataFrame, groups: NDArray[np.int64], seed: int) -> tuple[ComponentName, ...]:
    """Name components; the persons of the last photographs judge."""
    judged = groups > groups[PERSONS]
    fitted_persons, judged_persons = (
        ProbedPersons(scores[rows], attributes[rows].reset_index(drop=True), groups[rows]) for rows in (~judged, judged)
    )
    variances = scores.var(axis=0) / scores.var(axis=0).sum()
    return name_scores(fitted_persons, judged_persons, variances, seed).names
