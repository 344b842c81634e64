"""How much may go wrong before a run stops: a training set that has quietly lost half of its people is worse than an error."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from pydantic import Field

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.data.coco.data_quality import Finding
from posescope.data.coco.plausibility import PlausibilityFinding

__all__ = ["FailureLimits", "check_failures", "grade_findings", "raise_refused"]

_CONSEQUENCE = "its image "  # such reasons follow from those of the images


class FailureLimits(Options):
    """How many records may be malformed, and images unreadable."""

    max_fraction: float = Field(
        0.01, ge=0, le=1, description="a step stops the run if a larger share of its records (0.01 = 1 %) fails; 1: never"
    )
    max_implausible_fraction: float = Field(
        0.1,
        ge=0,
        le=1,
        description="reading stops the run if the labels of a larger share of a split's persons are well-formed and make every "
        "number wrong (between 0 and 1, or piled up at one place); 1: never",
    )


def grade_findings(implausible: Sequence[PlausibilityFinding], options: FailureLimits | None) -> list[Finding]:
    """Return the findings of a split's doubts: `refused` where they are too many and ruin every number, else `warned`."""
    return [
        replace(doubt.finding, severity="refused")
        if options is not None and doubt.invalidates_metrics and doubt.finding.fraction > options.max_implausible_fraction
        else doubt.finding
        for doubt in implausible
    ]


def raise_refused(findings: Sequence[Finding], options: FailureLimits) -> None:
    """Stop if a finding is `refused`.

    Args:
        findings: of all splits, causes before consequences.
        options: how many labels may be wrong.

    Raises:
        DataError: with the refused findings first, and after them what else was found, which may follow from them.
    """
    refused = [finding for finding in findings if finding.severity == "refused"]
    if not refused:
        return
    others = [finding for finding in findings if finding.severity == "warned"]
    lines = [_line_of(finding) for finding in refused]
    if others:
        lines += ["Found besides, perhaps for the same cause:", *(_line_of(finding) for finding in others)]
    raise DataError(
        f"read: labels make every number wrong; at most {options.max_implausible_fraction:.1%} of a split's may. Mend the files, or allow "
        "more: data_engineering.failures.max_implausible_fraction.\n" + "\n".join(lines)
    )


def _line_of(finding: Finding) -> str:
    return (
        f"  {finding.split}: {finding.check} in {finding.records} of {finding.total} ({finding.fraction:.1%}). {finding.detail} "
        f"{finding.remedy}"
    )


def check_failures(issues: pd.DataFrame, total: int, options: FailureLimits, step: str) -> None:
    """See that not too many failed.

    Args:
        issues: an `Issues` table of what failed in a step.
        total: how many records the step was given, the failed ones included.
        options: how many may fail.
        step: its name, for the message.

    Raises:
        DataError: if more than `max_fraction` failed: how many for which reason, and the first of each; reasons that follow from
            others come last.
    """
    if len(issues) <= options.max_fraction * total:
        return
    groups = sorted(issues.groupby("reason"), key=lambda item: (str(item[0]).startswith(_CONSEQUENCE), -len(item[1])))
    lines = [
        f"  {len(group)} x {reason}; the first: {group['detail'].iloc[0] or group['file_name'].iloc[0]}"
        for reason, group in groups
    ]
    raise DataError(
        f"{step}: {len(issues)} of {total} records failed ({len(issues) / max(total, 1):.1%}); at most "
        f"{options.max_fraction:.1%} may. Mend the data, or allow more: data_engineering.failures.max_fraction.\n"
        + "\n".join(lines)
    )
