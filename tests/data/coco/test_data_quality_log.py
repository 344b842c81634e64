"""Data-quality findings as log lines and table rows."""

import logging

import pytest
from pandera.errors import SchemaError

from posescope.core.tables import DataQuality, required_columns
from posescope.data.coco.data_quality import QualityFinding, report_findings

FINDING = QualityFinding(
    severity="repaired",
    split="train2017",
    check="area_from_box",
    records=3,
    total=12,
    detail="Annotation 7 has area null.",
    remedy="Write the segment's area.",
)


def test_finding_is_a_row_and_a_log_line(caplog):
    with caplog.at_level(logging.INFO):
        table = report_findings([FINDING])
    row = table.iloc[0].to_dict()
    assert row == {
        "severity": "repaired", "split": "train2017", "check": "area_from_box", "records": 3, "fraction": 0.25,
        "detail": "Annotation 7 has area null.", "remedy": "Write the segment's area.",
    }  # fmt: skip
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "area_from_box in 3 of 12 (25 %). Annotation 7 has area null." in record.getMessage()


def test_table_without_findings_has_the_same_columns(caplog):
    with caplog.at_level(logging.INFO):
        table = report_findings([])
    assert len(table) == 0
    assert list(table.columns) == required_columns(DataQuality)
    assert caplog.records == []


def test_fraction_of_zero_checked_records_is_zero():
    assert QualityFinding("warned", "all", "flip_pairs", 0, 0, "None.", "None.").fraction == 0


def test_unknown_severity_is_refused():
    table = report_findings([FINDING]).assign(severity="perhaps")
    with pytest.raises(SchemaError):
        DataQuality.validate(table)
