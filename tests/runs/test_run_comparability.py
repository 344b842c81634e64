"""Tests of posescope.runs.run_comparability; tests/cli/test_compare.py tests them through the command."""

from pathlib import Path

import pytest
from tests.run_records import NEW, OLD, make_run

from posescope.core.errors import DataError
from posescope.runs.finished_runs import find_run
from posescope.runs.run_comparability import check_comparable, describe_differences


def test_runs_of_other_data_are_not_comparable(tmp_path: Path) -> None:
    make_run(tmp_path, OLD, {"data_engineering": {"sample": {"seed": 0, "workers": 1}}})
    make_run(tmp_path, NEW, {"data_engineering": {"sample": {"seed": 1, "workers": 1}}})
    first, second = find_run(OLD, tmp_path), find_run(NEW, tmp_path)
    check_comparable(first, first)
    with pytest.raises(DataError, match="sample"):
        check_comparable(first, second)


def test_differences_of_protocol_metrics_and_data_are_described(tmp_path: Path) -> None:
    make_run(tmp_path, OLD, {"evaluation": {"scoring": {"protocol": None, "metrics": ["oks"]}}})
    make_run(tmp_path, NEW, {"evaluation": {"scoring": {"protocol": "coco", "metrics": ["pck"]}}}, data_fingerprint="e" * 16)
    first, second = find_run(OLD, tmp_path), find_run(NEW, tmp_path)
    assert describe_differences(first, first) == []
    assert len(describe_differences(first, second)) == 3
