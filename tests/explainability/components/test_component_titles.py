"""Names of planted components; `benchmarks/truth/components.py` counts them over many data sets."""

import numpy as np
import pandas as pd
import pytest

from posescope.explainability.components.attribute_shares import ProbedPersons
from posescope.explainability.components.component_titles import ComponentName, end_rows, name_components, name_scores

PERSONS, JUDGED = 1000, 300


def named(component: np.ndarray, seed: int = 0, **attributes: np.ndarray) -> tuple[ComponentName, ...]:
    """Names of the component and of one of noise; the last 300 persons are judged."""
    rng = np.random.default_rng([seed, 9])
    scores = np.stack([component, rng.normal(size=len(component))], axis=1)
    table = pd.DataFrame({**attributes, "other": rng.normal(size=len(component))})
    fitted, judged = (
        ProbedPersons(scores[rows], table[rows].reset_index(drop=True), np.arange(len(table))[rows])
        for rows in (slice(PERSONS), slice(PERSONS, None))
    )
    return name_scores(fitted, judged, scores.var(axis=0) / scores.var(axis=0).sum(), seed).names


def noise(seed: int, columns: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(columns, PERSONS + JUDGED))


@pytest.mark.parametrize("seed", range(3))
def test_attribute_known_for_few_persons_at_its_end_names_nothing(seed: int) -> None:
    a, own, error, chance = noise(seed)
    component = a + 0.6 * own
    at_end = component > np.quantile(component, 0.7)
    b = np.where((at_end & (chance < 1.3)) | (~at_end & (chance < 0)), np.nan, component + 0.3 * error)
    first, second = named(component, a=a, b=b)
    assert first.title == "component 1: low a ↔ high a"
    assert (first.strength, first.low_attribute, first.high_attribute) == ("encodes", "a", "a")
    assert first.share.estimate == pytest.approx(1 / 1.36, abs=0.08)
    assert first.share.low < first.share.estimate < first.share.high
    assert first.p_value == pytest.approx(1 / 2000)
    assert (second.strength, second.low, second.title) == ("none", "", "component 2 (no name)")


def test_component_of_legs_out_of_view_is_named_so() -> None:
    rest, error, chance, _ = noise(0)
    unknown = chance > 1
    first, _ = named(6 * unknown + rest, knee_angle=np.where(unknown, np.nan, 0.5 * rest + error))
    assert first.high == "knees or ankles not labelled"
    assert (first.unknown_low, first.unknown_high) == (0, 1)


def test_each_end_has_its_own_words() -> None:
    a, c, own, chance = noise(0)
    a, c = np.where(chance > 0.9, 3 + 0.3 * a, 0.3 * a), np.where(chance < -0.9, 3 + 0.3 * c, 0.3 * c)
    first, _ = named(a - c + own, arms_raised=c, knee_angle=-a)
    assert (first.low, first.high) == ("arms raised", "bent knees")
    assert first.ends == "arms raised ↔ bent knees"
    assert (first.low_attribute, first.high_attribute) == ("arms_raised", "knee_angle")
    flipped, _ = named(c - a + own, arms_raised=c, knee_angle=-a)
    assert (flipped.low, flipped.high) == (first.high, first.low)


@pytest.mark.parametrize("skewed", [False, True])
def test_no_name_without_a_relation(skewed: bool) -> None:
    for seed in range(3):
        values = np.exp(noise(seed)) if skewed else noise(seed)
        assert not any(name.is_named for name in named(values[0], seed, a=values[1], b=values[2], c=values[3]))


def test_weak_relation_is_no_name() -> None:
    a, own, _, _ = noise(0)
    (weak, _), (related, _) = (named(weight * a + own, a=a) for weight in (0.25, 0.5))
    assert (weak.strength, weak.low_attribute) == ("none", "a")
    assert weak.p_value < 0.01
    assert related.strength == "related"


def test_no_attributes_or_few_judged_photographs() -> None:
    component = noise(0)[0]
    unknown = np.full(len(component), np.nan)
    persons = ProbedPersons(component[:PERSONS, None], pd.DataFrame({"knee": unknown[:PERSONS]}), np.arange(PERSONS))
    (name,) = name_scores(persons, persons, np.ones(1), 0).names
    assert (name.strength, name.low_attribute, name.p_value, name.variance) == ("none", "", 1.0, 1.0)
    known = ProbedPersons(persons.scores, pd.DataFrame({"knee": component[:PERSONS]}), persons.groups)
    few = ProbedPersons(known.scores[:9], known.attributes[:9], known.groups[:9])
    (name,) = name_scores(known, few, np.ones(1), 0).names
    assert (name.strength, name.low_attribute) == ("none", "knee")


def test_same_data_same_names() -> None:
    a, own, _, _ = noise(0)
    assert named(a + own, a=a) == named(a + own, a=a)


def test_ends_are_five_percent_or_twenty_persons() -> None:
    low, high = end_rows(np.arange(1000.0))
    assert (low.tolist(), high.tolist()) == (list(range(50)), list(range(950, 1000)))
    assert [len(rows) for rows in end_rows(np.arange(30.0))] == [15, 15]
    assert [len(rows) for rows in end_rows(np.arange(100.0))] == [20, 20]
    assert [len(rows) for rows in end_rows(np.empty(0))] == [0, 0]


def test_names_of_analysis_inputs(inputs_of, wandering_crops) -> None:
    crops, red, blue = wandering_crops
    inputs = inputs_of(crops, attributes=pd.DataFrame({"standing": -red, "facing": blue, "knee_angle": np.nan}))
    first, second, *_ = name_components(inputs)
    words = ("standing", "sitting or lying")
    # Feature 1 is red in the right upper quarter, where `standing` is low.
    assert (first.low, first.high) == (words if inputs.components.axes[0][1] > 0 else words[::-1])
    assert second.low_attribute == "facing"
    assert (first.number, first.variance) == (1, pytest.approx(inputs.components.explained_variance_ratio[0]))
    assert name_components(inputs) == name_components(inputs)
