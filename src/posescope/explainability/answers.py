"""Answers to yes-or-no questions from intervals, so that `refuted` needs evidence and not only a lack of it.

    question                    supported             refuted
    more than zero?             low > 0               high < 0, or the interval lies within the margin around zero
    at most the tolerance?      high <= tolerance     low > tolerance

Everything else is inconclusive. The p-value belongs to the null hypothesis at the nearest limit.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings import MIN_IMAGES, Control, Finding, Verdict, p_from_interval

__all__ = ["Answer", "Question", "answer_at_most", "answer_more", "difference_of", "need_also", "state_sample"]

_LEVEL = 0.05


@dataclass(frozen=True)
class Answer:
    """Answer of one test alone, before the correction over all findings.

    Attributes:
        verdict: supported (yes), refuted (no) or inconclusive.
        p_value: p-value of the null hypothesis that the verdict rejects; if inconclusive, that of "the effect is zero" or "is the
            tolerance".
    """

    verdict: Verdict
    p_value: float


@dataclass(frozen=True)
class Question:
    """A question with the sentence for each answer.

    Attributes:
        id: unique within its analysis, as in `Finding`.
        text: a question that yes or no answers.
        unclear: the statement if the answer is open.
        yes, no: the statement if the answer is yes or no; empty if this answer is impossible.

    Example:
        >>> question = Question("enough", "Are 5 components enough?", "It is unclear.", yes="5 are enough.", no="5 are too few.")
        >>> drop = Interval(0.002, -0.001, 0.005)
        >>> question.to_finding(answer_at_most(drop, 0.01), drop, "drop of PCK", Control("5 random persons", 0.2)).statement
        '5 are enough.'
    """

    id: str
    text: str
    unclear: str
    yes: str = ""
    no: str = ""

    def to_finding(
        self,
        answer: Answer,
        effect: Interval,
        unit: str,
        control: Control | None,
        *,
        picture: str | None = None,
        importance: float = 0.0,
        detail: str = "",
        person_count: int = 0,
    ) -> Finding:
        """Return the finding with the statement of an answer.

        Args:
            answer: the answer.
            effect: the number of the statement with its 95 % interval; ends that are NaN become None.
            unit: unit of the effect.
            control: what the effect is compared with. None: there is none, and the answer is open.
            picture, importance, detail, person_count: as in `Finding`.

        Raises:
            ExplainabilityError: if the question has no sentence for the answer, or the numbers do not fit (see `Finding`).
        """
        statement = {"supported": self.yes, "refuted": self.no, "inconclusive": self.unclear}[answer.verdict]
        if not statement:
            raise ExplainabilityError(
                f"Question '{self.id}': expected a sentence for the verdict '{answer.verdict}', found none. Add it to the "
                "question."
            )
        low, high = (None if math.isnan(end) else end for end in (effect.low, effect.high))
        return Finding(
            id=self.id, question=self.text, statement=statement, unclear=self.unclear, verdict=answer.verdict,
            effect=effect.estimate, unit=unit, low=low, high=high, control=control, p_value=answer.p_value, picture=picture,
            importance=importance, detail=detail, person_count=person_count,
        )  # fmt: skip


def difference_of(first: Interval, second: Interval) -> Interval:
    """Return the interval of a difference from the intervals of both values.

    The variances are recovered from the ends of the intervals (Zou and Donner, 2008, Construction of confidence limits about
    effect measures, Statistics in Medicine 27:1693), as for independent values. Values of the same persons usually vary together;
    the interval is then too wide. Pair by person where that is possible.

    Args:
        first, second: the values and their intervals; NaN if one is unknown.
    """
    below = math.hypot(first.estimate - first.low, second.high - second.estimate)
    above = math.hypot(first.high - first.estimate, second.estimate - second.low)
    gap = first.estimate - second.estimate
    return Interval(gap, gap - below, gap + above)


def answer_more(difference: Interval, margin: float = 0.0) -> Answer:
    """Answer whether a value is larger than another.

    Args:
        difference: the first minus the second, with its 95 % interval.
        margin: a difference up to this size, to both sides, counts as none; 0: only a smaller value is a no.
    """
    p_none = p_from_interval(difference)
    if difference.low > 0:
        return Answer("supported", p_none)
    if difference.high < 0:
        return Answer("refuted", p_none)
    if margin > 0 and max(-difference.low, difference.high) <= margin:  # two one-sided tests of equivalence
        return Answer("refuted", max(p_from_interval(difference, limit) for limit in (-margin, margin)))
    return Answer("inconclusive", p_none)


def answer_at_most(value: Interval, tolerance: float) -> Answer:
    """Answer whether a value is at most a tolerance.

    Args:
        value: the value with its 95 % interval.
        tolerance: the largest value that still counts as yes.
    """
    p = p_from_interval(value, tolerance)
    if value.high <= tolerance:
        return Answer("supported", p)
    return Answer("refuted" if value.low > tolerance else "inconclusive", p)


def need_also(answer: Answer, p_value: float) -> Answer:
    """Let a yes need a second test as well: both null hypotheses must be rejected (intersection-union test).

    Args:
        answer: answer of the first test.
        p_value: p-value of the second test.
    """
    if answer.verdict == "refuted":
        return answer
    yes = answer.verdict == "supported" and p_value <= _LEVEL
    return Answer("supported" if yes else "inconclusive", max(answer.p_value, p_value))


def state_sample(findings: Iterable[Finding], groups: NDArray[np.int64]) -> tuple[Finding, ...]:
    """State the persons of findings that were measured on a sample; with fewer than `MIN_IMAGES` photographs they are open.

    Args:
        findings: findings of these persons.
        groups: (n,) photograph of each person of the sample.
    """
    photographs = len(np.unique(groups))
    counted = [replace(one, person_count=len(groups), photograph_count=photographs) for one in findings]
    return tuple(counted) if photographs >= MIN_IMAGES else tuple(one.as_unclear() for one in counted)
