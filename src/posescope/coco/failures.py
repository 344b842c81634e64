"""How much may go wrong before a run stops: a training set that has quietly lost half of its people is worse than an error."""

import pandas as pd
from pydantic import Field

from posescope.errors import DataError
from posescope.plugins import Options

__all__ = ["FailureOptions", "check_failures"]


class FailureOptions(Options):
    """How many records may be malformed, and images unreadable."""

    max_share: float = Field(
        0.01, ge=0, le=1, description="a step stops the run if a larger share of its records (0.01 = 1 %) fails; 1: never"
    )


def check_failures(issues: pd.DataFrame, total: int, options: FailureOptions, step: str) -> None:
    """See that not too many failed.

    Args:
        issues: an `Issues` table of what failed in a step.
        total: how many records the step was given, the failed ones included.
        options: how many may fail.
        step: its name, for the message.

    Raises:
        DataError: if more than `max_share` failed: how many for which reason, and the first of each.
    """
    if len(issues) <= options.max_share * total:
        return
    lines = [
        f"  {len(group)} x {reason}; the first: {group['detail'].iloc[0] or group['file_name'].iloc[0]}"
        for reason, group in sorted(issues.groupby("reason"), key=lambda item: -len(item[1]))
    ]
    raise DataError(
        f"{step}: {len(issues)} of {total} records failed ({len(issues) / max(total, 1):.1%}); at most "
        f"{options.max_share:.1%} may. Mend the data, or allow more: data_engineering.failures.max_share.\n" + "\n".join(lines)
    )
