from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import norm
from tests.findings import make_finding

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings import Control, correct_findings, p_from_interval, rank_findings


def test_ranking_by_importance_then_answered_then_order() -> None:
    found = [
        make_finding("a", verdict="inconclusive"),
        make_finding("b"),
        make_finding("c", importance=0.02),
        make_finding("d", verdict="refuted"),
        make_finding("e", importance=0.2, verdict="inconclusive"),
    ]
    assert [one.statement for one in rank_findings(found)] == ["e", "c", "b", "d", "a"]
    assert rank_findings([]) == []


@pytest.mark.parametrize("control", [None, Control("chance", 0.1, 0.0, 0.2, can_fail=False)])
def test_finding_as_dict_and_back(control: Control | None) -> None:
    one = make_finding(control=control, verdict="inconclusive", picture="grid", importance=0.5)
    assert type(one).from_dict(asdict(one)) == one


@pytest.mark.parametrize(
    "field", [{"effect": float("nan")}, {"high": float("inf")}, {"control": Control("chance", float("nan"))}, {"p_value": np.nan}]
)
def test_non_finite_values_are_refused(field) -> None:
    with pytest.raises(ExplainabilityError, match="finite"):
        make_finding(**field)


@pytest.mark.parametrize("missing", ["control", "p_value"])
@pytest.mark.parametrize("verdict", ["supported", "refuted"])
def test_an_answer_needs_a_control_and_a_test(missing: str, verdict: str) -> None:
    assert make_finding(verdict="inconclusive", **{missing: None}).verdict == "inconclusive"
    with pytest.raises(ExplainabilityError, match="inconclusive"):
        make_finding(verdict=verdict, **{missing: None})


def test_p_value_of_an_interval_by_hand() -> None:
    assert p_from_interval(Interval(1.0, 0.0, 9.0)) == pytest.approx(0.05)
    assert p_from_interval(Interval(-1.0, -9.0, 0.0)) == pytest.approx(0.05)
    # Two standard errors of 0.5 above 1: the lower end is 1.96 of them below 2.
    error = 0.5
    assert p_from_interval(Interval(2.0, 2.0 - error * norm.ppf(0.975), 7.0), null=1.0) == pytest.approx(2 * norm.sf(2.0))
    assert p_from_interval(Interval(0.0, -1.0, 1.0)) == 1.0
    assert p_from_interval(Interval(float("nan"), 0.0, 1.0)) == 1.0
    assert p_from_interval(Interval(1.0, 1.0, 1.0)) == 0.0


def test_correction_by_hand() -> None:
    # Benjamini and Yekutieli: p times m / rank times 1 + 1/2 + 1/3, made monotone from above.
    found = correct_findings([make_finding(name, p_value=p) for name, p in (("a", 0.02), ("b", 0.04), ("c", 0.001))])
    factor = 1 + 1 / 2 + 1 / 3
    assert [one.p_adjusted for one in found] == pytest.approx([0.02 * 3 / 2 * factor, 0.04 * factor, 0.001 * 3 * factor])
    assert [one.verdict for one in found] == ["inconclusive", "inconclusive", "supported"]
    assert [one.statement for one in found] == ["It is not clear.", "It is not clear.", "c"]


def test_correction_of_many_nulls_and_of_untested_findings() -> None:
    rng = np.random.default_rng(0)
    answered = 0
    for _ in range(200):
        found = correct_findings([make_finding(str(i), p_value=float(p)) for i, p in enumerate(rng.random(20))])
        answered += any(one.is_supported for one in found)
    assert answered <= 10
    untested = make_finding(verdict="inconclusive", p_value=None, control=None)
    assert correct_findings([untested]) == (untested,)
    assert correct_findings([]) == ()
