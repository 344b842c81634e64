"""Findings on the quality of a data set: what was mended, what is doubtful, what makes every number wrong."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from posescope.tables import DataQuality, table_of

__all__ = ["Finding", "report_findings"]

_LEVELS = {"mended": logging.WARNING, "warned": logging.WARNING, "refused": logging.ERROR}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """What one check found in one split: a row of the table `DataQuality`.

    Attributes:
        severity: `mended`: a value was replaced. `warned`: the records are used as they are. `refused`: the run stops.
        split: the data set's own name of the split, or `all`.
        check: short identifier, lower case with underscores.
        records: how many persons, images or joints were found.
        total: how many were checked.
        detail: one sentence that says what was found, with an example record.
        remedy: one sentence that says what to do.
    """

    severity: Literal["mended", "warned", "refused"]
    split: str
    check: str
    records: int
    total: int
    detail: str
    remedy: str

    @property
    def share(self) -> float:
        """`records` / `total`, 0..1; 0 where nothing was checked."""
        return self.records / self.total if self.total else 0.0


def report_findings(findings: Sequence[Finding]) -> pd.DataFrame:
    """Log one line for each finding and return all of them as a table.

    Args:
        findings: in the order in which people should read them: causes before consequences.

    Returns:
        A `DataQuality` table in the same order.
    """
    for finding in findings:
        logger.log(
            _LEVELS[finding.severity], "data quality: %s: %s: %s in %d of %d (%.3g %%). %s %s",
            finding.severity, finding.split, finding.check, finding.records, finding.total, 100 * finding.share,
            finding.detail, finding.remedy,
        )  # fmt: skip
    return table_of(DataQuality, findings)
