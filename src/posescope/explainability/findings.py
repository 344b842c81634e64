"""Findings: the claims of an analysis, each with its value, its control and the image that shows it.

A claim needs a control: "PC1 is sitting to standing" is meaningful only beside the result of the same probe on shuffled persons.
`passed` states whether the claim held; a claim that failed stays in the list.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.errors import ExplainabilityError

__all__ = ["MIN_IMAGES", "Control", "Finding", "control_of", "range_control", "rank_findings"]

# Intervals from fewer images are unreliable, so no claim based on them counts as held.
MIN_IMAGES = 10


@dataclass(frozen=True)
class Control:
    """The result of the same measurement where there is no effect.

    Attributes:
        what: description, for example "the same components, persons shuffled".
        value: the value of the control.
        low, high: ends of its interval or range; none where it has none.
    """

    what: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Finding:
    """One claim.

    Attributes:
        claim: one sentence that states what was measured and the result, with numbers.
        value: the value on which the claim rests.
        low, high: its 95 % interval; none where it has none.
        control: the control that the value is compared with.
        passed: whether the value exceeds the control as the claim states.
        shown_in: name of the image or plot of the same result that shows it; none: there is none.
        pck_at_stake: mean PCK (0..1, over all persons of the study) that depends on it; 0 where it is not about errors.
            Findings are ranked by it.
        persons: description of the persons, since a network may fail less on those that it was trained on; set by
            `run_analysis`.
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
                f"Finding '{self.claim}': expected finite values, found {numbers}. Where there is no value, make no claim and "
                "say so in the note of the analysis."
            )

    @classmethod
    def of_interval(
        cls, claim: str, measured: Interval, control: Control, *, passed: bool, shown_in: str | None = None
    ) -> "Finding":
        """Return a claim about an interval.

        Args:
            claim, control, passed, shown_in: see the attributes.
            measured: the value of the claim and its interval.
        """
        return cls(claim, measured.estimate, measured.low, measured.high, control, bool(passed), shown_in)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Finding":
        """Inverse of `dataclasses.asdict`; reads results of older versions, which named `shown_in` picture, too."""
        fields = {"shown_in" if name == "picture" else name: value for name, value in content.items()}
        return cls(**{**fields, "control": Control(**content["control"])})


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


def rank_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by PCK at stake, then those that held first; otherwise keep their order."""
    return sorted(findings, key=lambda finding: (-finding.pck_at_stake, not finding.passed))
