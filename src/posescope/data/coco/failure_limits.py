"""Limits of failures: a run stops if too many records are invalid or too many labels implausible."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from pydantic import Field

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.data.coco.data_quality import QualityFinding
from posescope.data.coco.plausibility import PlausibilityFinding

__all__ = ["FailureLimits", "check_failures", "grade_findings", "raise_refused"]

_CONSEQUENCE = "its image "  # such reasons follow from those of images


class FailureLimits(Options):
    """Maximum fractions of failures."""

    max_fraction: float = Field(
        0.01, ge=0, le=1, description="maximum fraction of records that may fail in a step (0.01 = 1 %); 1: any"
    )
    max_implausible_fraction: float = Field(
        0.1,
        ge=0,
        le=1,
        description="maximum fraction of a split's persons whose labels may invalidate the metrics (coordinates between 0 and 1, "
        "or most at one location); 1: any",
    )


def grade_findings(implausible: Sequence[PlausibilityFinding], options: FailureLimits | None) -> list[QualityFinding]:
    """Set the severity of the findings of a split.

    Args:
        implausible: results of the plausibility checks.
        options: the limits; None: no limit.

    Returns:
        The findings, `refused` if they invalidate the metrics of too many persons, else `warned`.
    """
    return [
        replace(found.finding, severity="refused")
        if options is not None and found.invalidates_metrics and found.finding.fraction > options.max_implausible_fraction
        else found.finding
        for found in implausible
    ]


def raise_refused(findings: Sequence[QualityFinding], options: FailureLimits) -> None:
    """Raise an error if a finding is `refused`.

    Args:
        findings: findings of all splits, causes before consequences.
        options: the limits, for the message.

    Raises:
        DataError: lists the refused findings first, then the others, which may be consequences.
    """
    refused = [finding for finding in findings if finding.severity == "refused"]
    if not refused:
        return
    others = [finding for finding in findings if finding.severity == "warned"]
    lines = [_line_of(finding) for finding in refused]
    if others:
        lines += ["Further findings, perhaps with the same cause:", *(_line_of(finding) for finding in others)]
    raise DataError(
        f"read: implausible labels, which invalidate the metrics; expected at most {options.max_implausible_fraction:.1%} of a "
        "split's persons. Correct the files, or raise data_engineering.failures.max_implausible_fraction.\n" + "\n".join(lines)
    )


def _line_of(finding: QualityFinding) -> str:
    return (
        f"  {finding.split}: {finding.check} in {finding.records} of {finding.total} ({finding.fraction:.1%}). {finding.detail} "
        f"{finding.remedy}"
    )


def check_failures(issues: pd.DataFrame, total: int, options: FailureLimits, step: str) -> None:
    """Check that not too many records of a step failed.

    Args:
        issues: an `Issues` table of the failures.
        total: number of records of the step, failures included.
        options: the limits.
        step: name of the step, for the message.

    Raises:
        DataError: if more than `max_fraction` failed; lists the counts by reason and the first record of each, consequences last.
    """
    if len(issues) <= options.max_fraction * total:
        return
    groups = sorted(issues.groupby("reason"), key=lambda item: (str(item[0]).startswith(_CONSEQUENCE), -len(item[1])))
    lines = [
        f"  {len(group)} x {reason}; the first: {group['detail'].iloc[0] or group['file_name'].iloc[0]}"
        for reason, group in groups
    ]
    raise DataError(
        f"{step}: {len(issues)} of {total} records failed ({len(issues) / max(total, 1):.1%}), expected at most "
        f"{options.max_fraction:.1%}. Correct the data, or raise data_engineering.failures.max_fraction.\n" + "\n".join(lines)
    )
