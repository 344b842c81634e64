"""Verdicts of findings about components from given shares."""

import numpy as np
import pandas as pd
import pytest

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.attributes.attribute_columns import columns_of
from posescope.explainability.components.attribute_probes import PROBE_COLUMNS, NullDistribution, ProbedAttributes
from posescope.explainability.components.attribute_shares import AttributeShares, ProbedPersons
from posescope.explainability.components.component_findings import ComponentFindings, share_of_known
from posescope.explainability.components.component_titles import ComponentName, NamedComponents
from posescope.explainability.findings import Finding

NO_SHARES = AttributeShares((), {}, np.empty((1, 0)), np.empty((1, 0)), ((),))


def named(share: Interval, strength: str = "none", unknown_high: float = 0.0) -> ComponentName:
    low, high = ("arms raised", "bent knees") if strength != "none" else ("", "")
    return ComponentName(1, 0.3, strength, low, high, "arms_raised", "knee_angle", share, 0.0005, 0.0, unknown_high)


def findings(name: ComponentName, standing: Interval | None = None, probes: list[dict] | None = None) -> list[Finding]:
    components = NamedComponents((name,), NO_SHARES, np.linspace(0, 0.05, 1999))
    probed = ProbedAttributes(pd.DataFrame(probes or [], columns=PROBE_COLUMNS), NullDistribution(np.ones(1999)), {})
    return list(ComponentFindings(components, probed, standing, {1: 0.6}, {1: "component_1_ends"}).list_findings(3))


def probe(attribute: str, r2: float, fitted_r2: float, width: float = 0.05) -> dict:
    return {
        "attribute": attribute, "persons": 300, "components": 50, "fitted_r2": fitted_r2, "r2": r2, "r2_low": r2 - width,
        "r2_high": r2 + width, "p_value": 0.0005,
    }  # fmt: skip


def test_named_component() -> None:
    (found,) = findings(named(Interval(0.42, 0.3, 0.5), "related", unknown_high=0.94))
    assert (found.verdict, found.p_value, found.picture) == ("supported", 0.0005, "component_1_ends")
    assert found.statement == (
        'Component 1 goes from "arms raised" to "bent knees": these two attributes explain 42% of the differences between '
        "persons along it."
    )
    assert found.detail == (
        "The value is unknown for 94% of the persons at the high end (knee_angle). All attributes together explain 60% of the "
        "differences along the component."
    )
    assert found.control.low < found.control.value < found.control.high


@pytest.mark.parametrize(
    ("share", "verdict"),
    [((0.03, 0.0, 0.06), "refuted"), ((0.05, -0.02, 0.14), "inconclusive"), ((0.2, 0.08, 0.3), "inconclusive")],
)
def test_component_without_a_name(share: tuple[float, float, float], verdict: str) -> None:
    (found,) = findings(named(Interval(*share)))
    assert found.verdict == verdict
    assert found.question == "Does one of the measured attributes describe component 1?"
    assert (found.p_value < 0.05) == (verdict == "refuted")
    assert (found.statement == found.unclear) == (verdict == "inconclusive")


def test_shares_that_are_not_judged_give_no_finding() -> None:
    assert findings(named(Interval(np.nan, np.nan, np.nan)), Interval(np.nan, np.nan, np.nan)) == []


@pytest.mark.parametrize(
    ("share", "verdict"), [((0.8, 0.7, 0.9), "supported"), ((0.2, 0.1, 0.3), "refuted"), ((0.5, 0.4, 0.6), "inconclusive")]
)
def test_claim_of_the_thesis(share: tuple[float, float, float], verdict: str) -> None:
    found = findings(named(Interval(np.nan, np.nan, np.nan)), Interval(*share))[0]
    assert (found.id, found.verdict) == ("component-1-standing", verdict)


def test_best_and_worst_attribute_are_those_of_the_fitted_persons() -> None:
    probes = [probe("facing", 0.7, 0.8), probe("size", 0.9, 0.3), probe("occluded", 0.02, 0.1)]
    best, worst = findings(named(Interval(np.nan, np.nan, np.nan)), probes=probes)
    assert (best.verdict, worst.verdict) == ("supported", "supported")
    assert '"seen from behind" and "seen from the front"' in best.question
    assert best.statement.endswith("the first 50 components together predict 70% of it.")
    assert worst.statement.endswith("the first 50 components together predict only 2% of it.")
    (_, kept) = findings(named(Interval(np.nan, np.nan, np.nan)), probes=[probe("facing", 0.7, 0.8), probe("occluded", 0.3, 0.1)])
    assert (kept.verdict, kept.p_value) == ("refuted", pytest.approx(0, abs=1e-6))
    (_, open_) = findings(
        named(Interval(np.nan, np.nan, np.nan)), probes=[probe("facing", 0.7, 0.8), probe("occluded", 0.12, 0.1)]
    )
    assert open_.verdict == "inconclusive"


def test_share_of_known_persons_by_hand() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=400)
    component = values + rng.normal(size=400)
    component[:100] = 50.0  # their value is unknown, so they do not count
    attributes = pd.DataFrame({"standing": np.where(np.arange(400) < 100, np.nan, values)})
    persons = ProbedPersons(component[:, None], attributes, np.arange(400))
    (column, _), _ = columns_of(attributes, persons.groups)
    found = share_of_known(persons, persons, column, 0, seed=0)
    assert found.estimate == pytest.approx(np.corrcoef(values[100:], component[100:])[0, 1] ** 2, abs=0.01)
    assert found.low < found.estimate < found.high
