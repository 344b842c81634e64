"""Findings: the questions of an analysis, each with an answer, an effect, and a control that can fail.

A claim needs a control: "component 1 is sitting to standing" is meaningful only beside the result of the same measurement where
there is no effect. Each finding answers one question with `supported` (yes), `refuted` (no) or `inconclusive`.

A run asks many questions, so some answers would be wrong by chance. `correct_findings` corrects all findings that are shown
together: Benjamini and Yekutieli (2001), The control of the false discovery rate in multiple testing under dependency, valid for
any dependence between the tests. An answer whose adjusted p-value is above 0.05 becomes inconclusive.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import MIN_IMAGES, Interval
from posescope.explainability.errors import ExplainabilityError

__all__ = [
    "FALSE_DISCOVERY_RATE",
    "MIN_IMAGES",
    "Control",
    "Finding",
    "Verdict",
    "control_of",
    "correct_findings",
    "p_from_interval",
    "range_control",
    "rank_findings",
]

Verdict = Literal["supported", "refuted", "inconclusive"]

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class Control:
    """The result of the same measurement where there is no effect.

    Attributes:
        what: description, for example "the same components, persons shuffled".
        value: the value of the control.
        low, high: ends of its interval or range; none where it has none.
        can_fail: whether the control could have matched the effect. False: its value is fixed by construction; such a control is
            a check of the software and no evidence.
    """

    what: str
    value: float
    low: float | None = None
    high: float | None = None
    can_fail: bool = True


@dataclass(frozen=True)
class Finding:
    """One question, its answer and the number that the answer is based on.

    Attributes:
        id: unique within its analysis: lower-case letters, digits and hyphens.
        question: a question that yes or no answers.
        statement: one sentence that is true under the verdict, with one number.
        unclear: the sentence that replaces the statement if the verdict becomes inconclusive.
        verdict: the answer: supported (yes), refuted (no) or inconclusive.
        effect: the number of the statement.
        unit: unit of the effect.
        low, high: its 95 % interval over images; none where it has none.
        control: what the effect is compared with; none: there is none, which only an inconclusive finding may have.
        p_value: p-value of the null hypothesis that the verdict rejects; none: no test was made, and the verdict is inconclusive.
        picture: name of the image or plot of the same result that shows it; none: there is none.
        importance: mean PCK (0..1, over all judged persons) that depends on it; 0 where it is not about errors. Findings are
            ranked by it.
        detail: further numbers for the long report, at most two sentences.
        persons: description of the persons; set by `run_analysis`, as are both counts.
        person_count, photograph_count: number of judged persons and of their images.
        p_adjusted: p-value after the correction over all findings of a run; none before.
    """

    id: str
    question: str
    statement: str
    unclear: str
    verdict: Verdict
    effect: float
    unit: str
    low: float | None
    high: float | None
    control: Control | None
    p_value: float | None
    picture: str | None = None
    importance: float = 0.0
    detail: str = ""
    persons: str = ""
    person_count: int = 0
    photograph_count: int = 0
    p_adjusted: float | None = None

    def __post_init__(self) -> None:
        control = () if self.control is None else (self.control.value, self.control.low, self.control.high)
        numbers = (self.effect, self.low, self.high, *control, self.importance, self.p_value)
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise ExplainabilityError(
                f"Finding '{self.id}': expected finite values, found {numbers}. Where there is no value, make no finding and say "
                "so in the note of the analysis."
            )
        if self.verdict != "inconclusive" and (self.p_value is None or self.control is None):
            raise ExplainabilityError(
                f"Finding '{self.id}': expected a control and a p-value for the verdict '{self.verdict}', found control "
                f"{self.control} and p-value {self.p_value}. Without a test the verdict is inconclusive."
            )

    @property
    def is_supported(self) -> bool:
        """Whether the answer is yes."""
        return self.verdict == "supported"

    def as_unclear(self) -> "Finding":
        """Return the finding with an open answer."""
        return replace(self, verdict="inconclusive", statement=self.unclear)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Finding":
        """Inverse of `dataclasses.asdict`."""
        control = content["control"]
        return cls(**{**content, "control": None if control is None else Control(**control)})


def range_control(what: str, values: NDArray[np.float64]) -> Control:
    """Return a control with the mean and the range of (n,) values.

    Args:
        what: description of the control.
        values: (n,) values of the control.
    """
    return Control(what, float(values.mean()), float(values.min()), float(values.max()))


def control_of(what: str, interval: Interval) -> Control:
    """Return a control with an interval.

    Args:
        what: description of the control.
        interval: interval of the control.
    """
    return Control(what, interval.estimate, interval.low, interval.high)


def p_from_interval(interval: Interval, null: float = 0.0) -> float:
    """Return the two-sided p-value of "the value is `null`" by a normal approximation of a 95 % interval.

    The end of the interval on the side of `null` gives the standard error (Altman and Bland, 2011, How to obtain the P value from
    a confidence interval, BMJ 343:d2304). So p < 0.05 exactly if the interval excludes `null`.

    Args:
        interval: estimate and ends; 1 is returned if one of them is NaN.
        null: the value of the null hypothesis.

    Example:
        >>> round(p_from_interval(Interval(1.0, 0.0, 2.5)), 3)
        0.05
    """
    if not interval.is_known or interval.estimate == null:
        return 1.0
    side = interval.low if interval.estimate > null else interval.high
    width = abs(interval.estimate - side)
    if width == 0:
        return 0.0
    from scipy.stats import norm  # noqa: PLC0415  (half a second at the start of each command)

    return float(2 * norm.sf(abs(interval.estimate - null) / width * norm.ppf(0.975)))


def correct_findings(findings: Iterable[Finding], rate: float = FALSE_DISCOVERY_RATE) -> tuple[Finding, ...]:
    """Correct the answers for the number of questions.

    Args:
        findings: all findings that are shown together.
        rate: highest expected fraction of wrong answers among all yes and no answers.

    Returns:
        The findings in the same order with `p_adjusted`; those above the rate are inconclusive.
    """
    found = list(findings)
    tested = [place for place, finding in enumerate(found) if finding.p_value is not None]
    if not tested:
        return tuple(found)
    from scipy.stats import false_discovery_control  # noqa: PLC0415

    adjusted = false_discovery_control([found[place].p_value for place in tested], method="by")
    for place, p in zip(tested, adjusted, strict=True):
        finding = replace(found[place], p_adjusted=float(p))
        found[place] = finding.as_unclear() if p > rate and finding.verdict != "inconclusive" else finding
    return tuple(found)


def rank_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by importance, then those with an answer first; otherwise keep their order."""
    return sorted(findings, key=lambda finding: (-finding.importance, finding.verdict == "inconclusive"))
