import numpy as np
import pytest
from tests.findings import make_finding

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.answers import (
    Answer,
    Question,
    answer_at_most,
    answer_more,
    difference_of,
    need_also,
    state_sample,
)
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings import Control

NAN = float("nan")


@pytest.mark.parametrize(
    ("interval", "margin", "verdict"),
    [
        ((1.0, 0.2, 1.8), 0.0, "supported"),
        ((-1.0, -1.8, -0.2), 0.0, "refuted"),
        ((0.1, -0.2, 0.4), 0.0, "inconclusive"),
        ((0.1, -0.2, 0.4), 0.5, "refuted"),
        ((0.1, -0.2, 0.4), 0.3, "inconclusive"),
        ((NAN, NAN, NAN), 0.3, "inconclusive"),
    ],
)
def test_more_needs_an_interval_on_one_side(interval, margin, verdict) -> None:
    answer = answer_more(Interval(*interval), margin)
    assert answer.verdict == verdict
    assert (answer.p_value <= 0.05) == (verdict != "inconclusive")


def test_equivalence_has_the_larger_p_value_of_both_limits() -> None:
    assert answer_more(Interval(0.0, -0.1, 0.1), 0.1).p_value == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [((0.0, -0.01, 0.008), "supported"), ((0.05, 0.02, 0.08), "refuted"), ((0.01, 0.0, 0.02), "inconclusive")],
)
def test_at_most_compares_with_the_tolerance(interval, verdict) -> None:
    assert answer_at_most(Interval(*interval), 0.01).verdict == verdict


def test_yes_needs_both_tests_and_a_no_one() -> None:
    assert need_also(Answer("supported", 0.001), 0.02) == Answer("supported", 0.02)
    assert need_also(Answer("supported", 0.001), 0.2) == Answer("inconclusive", 0.2)
    assert need_also(Answer("inconclusive", 0.3), 0.01) == Answer("inconclusive", 0.3)
    assert need_also(Answer("refuted", 0.01), 0.9) == Answer("refuted", 0.01)


def test_difference_of_two_intervals_equals_the_hand_computed_one() -> None:
    found = difference_of(Interval(10.0, 7.0, 14.0), Interval(4.0, 1.0, 8.0))
    assert (found.estimate, found.low, found.high) == pytest.approx((6.0, 6 - 5, 6 + 5))


def test_sample_of_few_photographs_leaves_questions_open() -> None:
    (many,), (few,) = (state_sample([make_finding()], np.arange(40) % count) for count in (20, 19))
    assert (many.verdict, many.person_count, many.photograph_count) == ("supported", 40, 20)
    assert (few.verdict, few.statement) == ("inconclusive", few.unclear)


@pytest.mark.parametrize(("verdict", "statement"), [("supported", "Yes."), ("refuted", "No."), ("inconclusive", "Open.")])
def test_finding_has_the_sentence_of_the_answer(verdict, statement) -> None:
    question = Question("a-question", "Is it so?", "Open.", yes="Yes.", no="No.")
    control = Control("chance", 0.1)
    finding = question.to_finding(Answer(verdict, 0.02), Interval(0.3, 0.2, NAN), "PCK", control, importance=0.4, person_count=7)
    assert (finding.id, finding.question, finding.unclear) == ("a-question", "Is it so?", "Open.")
    assert (finding.verdict, finding.statement, finding.p_value) == (verdict, statement, 0.02)
    assert (finding.effect, finding.low, finding.high, finding.unit) == (0.3, 0.2, None, "PCK")
    assert (finding.control, finding.importance, finding.person_count) == (control, 0.4, 7)
    assert (finding.picture, finding.detail) == (None, "")


@pytest.mark.parametrize("verdict", ["supported", "refuted"])
def test_answer_without_a_sentence_is_refused(verdict) -> None:
    question = Question("a-question", "Is it so?", "Open.")
    with pytest.raises(ExplainabilityError):
        question.to_finding(Answer(verdict, 0.02), Interval(0.3, 0.2, 0.4), "PCK", Control("chance", 0.1))
