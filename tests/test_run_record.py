"""Tests of posescope.run_record."""

import json
import platform
import subprocess
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from posescope.errors import DataError
from posescope.run_record import RunFolder, RunRecord, describe_versions, write_run_record

RECORD = RunRecord(
    status="completed",
    error=None,
    run_id="2026-01-02T03:04:05.678Z",
    pipelines=("modelling", "evaluation"),
    env="test",
    parameters={"modelling": {"training": {"epochs": 2}}},
    versions={"python": "3.11", "torch": None, "dirty": True},
    inputs={"model": "data/model/v1/model"},
    outputs={"metrics": "data/metrics.json"},
    data_fingerprint=None,
    metrics={"val": {"oks": {"value": 0.5}}},
)


def test_the_record_says_everything(tmp_path: Path) -> None:
    path = write_run_record(tmp_path / "runs", RECORD)
    assert path == tmp_path / "runs" / "2026-01-02T03.04.05.678Z" / "run.json"
    assert json.loads(path.read_text()) == {
        "status": "completed",
        "error": None,
        "run_id": "2026-01-02T03:04:05.678Z",
        "pipelines": ["modelling", "evaluation"],
        "env": "test",
        "parameters": {"modelling": {"training": {"epochs": 2}}},
        "versions": {"python": "3.11", "torch": None, "dirty": True},
        "inputs": {"model": "data/model/v1/model"},
        "outputs": {"metrics": "data/metrics.json"},
        "data_fingerprint": None,
        "metrics": {"val": {"oks": {"value": 0.5}}},
    }


def test_a_record_is_never_overwritten(tmp_path: Path) -> None:
    path = write_run_record(tmp_path, RECORD)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"run\.json: there is a record of this run already"):
        write_run_record(tmp_path, replace(RECORD, env="base"))
    assert path.read_bytes() == before


def test_records_stand_side_by_side(tmp_path: Path) -> None:
    write_run_record(tmp_path, RECORD)
    write_run_record(tmp_path, replace(RECORD, run_id="2026-01-02T03.04.06.000Z"))
    assert len(list(tmp_path.glob("*/run.json"))) == 2


def test_a_folder_is_finished_with_its_first_record(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs")
    assert not folder.is_finished()
    write_run_record(folder.root, RECORD)
    assert folder.is_finished()


def test_versions_are_those_that_are_installed(tmp_path: Path) -> None:
    found = describe_versions(tmp_path)
    assert found["python"] == platform.python_version()
    assert all(found[name] == version(name) for name in ("posescope", "torch", "numpy", "kedro"))
    assert (found["commit"], found["dirty"]) == (None, None), "nothing is known outside of git"


def test_the_commit_and_whether_it_is_all(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        return subprocess.run(["git", *who, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    git("init")
    git("commit", "--allow-empty", "--message", "first")
    assert describe_versions(tmp_path)["commit"] == git("rev-parse", "HEAD")
    assert describe_versions(tmp_path)["dirty"] is False
    (tmp_path / "new.txt").write_text("new")
    assert describe_versions(tmp_path)["dirty"] is True
