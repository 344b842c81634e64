from dataclasses import replace

import numpy as np
import pytest

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.failure_slices.cross_fitting import CrossFittedSlice
from posescope.explainability.failure_slices.rules import Condition, Rule
from posescope.explainability.failure_slices.slice_findings import slice_findings
from posescope.explainability.failure_slices.slice_judgement import JudgedSlice
from posescope.explainability.failure_slices.slice_words import RuleWords

WORDS = RuleWords("cut at the border of the image", "box touches the border of the image")
RULE = Rule((Condition("truncated", "above", 0.5),))


@pytest.fixture
def claimed() -> JudgedSlice:
    inside = np.array([1, 1, 0, 0, -1], np.int8)
    return JudgedSlice(
        rule=RULE,
        fitted=CrossFittedSlice(RULE, inside, (RULE, RULE), np.array([0, 0, 1, 1, 1])),
        persons=20,
        photographs=15,
        inside=Interval(0.6, 0.5, 0.7),
        outside=Interval(0.9, 0.88, 0.92),
        gap=Interval(0.3, 0.2, 0.4),
        share_of_error=0.25,
        chance=Interval(0.02, 0.0, 0.1),
        p_value=0.001,
        is_claimed=True,
        adjusted={"occluded": Interval(0.05, -0.02, 0.1), "several": Interval(0.2, 0.1, 0.3)},
        explained_by="",
    )


def test_a_claimed_slice_is_supported_with_one_number(claimed):
    (finding,) = slice_findings([claimed], [WORDS], judged=200)
    assert finding.verdict == "supported"
    assert finding.statement == (
        "On persons cut at the border of the image the share of joints found (PCK) is 0.30 lower than on all others."
    )
    assert (finding.effect, finding.low, finding.high, finding.unit) == (0.3, 0.2, 0.4, "PCK")
    assert finding.importance == pytest.approx(0.3 * 20 / 200)
    assert "25% of all missed joints" in finding.detail


def test_what_explains_a_slice_is_said(claimed):
    (finding,) = slice_findings([replace(claimed, explained_by="occluded")], [WORDS], judged=200)
    assert "hardly lower among persons with the same share of hidden joints" in finding.statement


def test_without_a_claim_the_best_rule_is_an_open_question(claimed):
    weak = replace(claimed, is_claimed=False, p_value=0.4)
    (finding,) = slice_findings([weak, weak], [WORDS, WORDS], judged=200)
    assert finding.verdict == "inconclusive"
    assert (finding.statement, finding.picture, finding.importance) == (finding.unclear, None, 0.0)
    assert slice_findings([], [], judged=200) == ()


def test_unclaimed_slices_are_no_findings_beside_a_claimed_one(claimed):
    found = slice_findings([replace(claimed, is_claimed=False), claimed], [WORDS, WORDS], judged=200)
    assert [finding.id for finding in found] == ["slice-2"]
