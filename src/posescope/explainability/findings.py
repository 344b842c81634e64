"""Findings: what an analysis claims, each with its number, the control that it must beat, and where to look.

A claim without a control is a story: "PC1 is sitting to standing" means something only beside what the same probe finds in
shuffled persons. `passed` says whether the claim held; a claim that failed stays in the list.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.errors import ExplainabilityError

__all__ = ["MIN_IMAGES", "Control", "Finding", "control_of", "rank_findings"]

# Draws of fewer photographs tell nothing of the next ones: their intervals are as wide as chance has drawn them.
MIN_IMAGES = 10


@dataclass(frozen=True)
class Control:
    """What the same measurement gives where there is nothing to find.

    Attributes:
        what: in words, such as "the same components, persons shuffled".
        value: the number there.
        low, high: of its interval or range; none where it has none.
    """

    what: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Finding:
    """One claim.

    Attributes:
        claim: one sentence that says what was measured and what came out, in words and numbers.
        value: the number that the claim rests on.
        low, high: its 95 % interval; none where it has none.
        control: what it must be held against.
        passed: whether the number beats the control as the claim says.
        shown_in: name of the picture or figure of the same result that shows it; none: no picture.
        pck_at_stake: how much mean PCK (0..1, of all persons studied) hangs on it, 0 where it is not about error. Findings
            are ordered by it.
        persons: of whom it is, in words: a network may fail less on those whom it was trained on. Whoever runs the analysis
            says so.
    """

    claim: str
    value: float
    low: float | None
    high: float | None
    control: Control
    passed: bool
    shown_in: str | None = None
    pck_at_stake: float = 0.0
    persons: str = ""

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high, self.control.value, self.control.low, self.control.high, self.pck_at_stake)
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise ExplainabilityError(
                f"Finding '{self.claim}': every number must be finite, found {numbers}. Where there is no answer, say so in the "
                "note of the analysis and make no claim."
            )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Finding":
        """Inverse of `dataclasses.asdict`."""
        return cls(**{**content, "control": Control(**content["control"])})


def control_of(what: str, interval: Interval) -> Control:
    """A control with an interval."""
    return Control(what, interval.estimate, interval.low, interval.high)


def rank_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Those on which most error hangs first, then those that held, in the order in which they came."""
    return sorted(findings, key=lambda finding: (-finding.pck_at_stake, not finding.passed))
