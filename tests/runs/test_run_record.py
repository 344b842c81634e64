"""Tests of posescope.runs.run_record."""

import json
import platform
import subprocess
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import pytest

from posescope.core.errors import DataError
from posescope.runs.run_record import RunFolder, RunRecord, begin_record, commit_of, describe_versions

RECORD = RunRecord(
    status="running",
    error=None,
    run_id="2026-01-02T03:04:05.678Z",
    started_utc="2026-01-02T03:04:05+00:00",
    ended_utc=None,
    process={"pid": 7, "host": "here"},
    pipelines=("modelling", "evaluation"),
    selection={"tags": ["a"]},
    nodes=("train_model",),
    unfinished_nodes=(),
    runner="SequentialRunner",
    env="test",
    parameters={"modelling": {"training": {"epochs": 2}}},
    versions={"python": "3.11", "torch": None, "dirty": True},
    inputs={"model": "data/model/v1/model"},
    outputs={"metrics": "data/metrics.json"},
    data_fingerprint=None,
    metrics={"val": {"oks": {"value": 0.5}}},
)


def test_record_is_the_only_file_of_its_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs").folder_of(RECORD.run_id)
    path = begin_record(folder, RECORD)
    assert path == tmp_path / "runs" / "2026-01-02T03.04.05.678Z" / "run.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(asdict(RECORD)))
    assert [item.name for item in folder.iterdir()] == ["run.json"]


def test_record_is_never_overwritten(tmp_path: Path) -> None:
    path = begin_record(tmp_path / "run", RECORD)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"run\.json"):
        begin_record(tmp_path / "run", replace(RECORD, env="base"))
    assert path.read_bytes() == before


def test_folder_is_finished_with_its_first_record(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs")
    assert not folder.is_finished()
    begin_record(folder.folder_of("first"), RECORD)
    assert folder.is_finished()


def test_versions_are_the_installed_ones() -> None:
    found = describe_versions()
    assert found["python"] == platform.python_version()
    assert all(found[name] == version(name) for name in ("posescope", "torch", "numpy", "kedro"))


def git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=author", "-c", "user.email=author@example.org")
    return subprocess.run(["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source file that git tracks."""
    path = tmp_path / "src" / "package" / "code.py"
    path.parent.mkdir(parents=True)
    path.write_text("")
    (tmp_path / ".gitignore").write_text(".venv\n")
    git(tmp_path, "init")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--message", "first")
    return path


def test_commit_and_uncommitted_changes_are_detected(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"commit": git(tmp_path, "rev-parse", "HEAD"), "dirty": False}
    assert commit_of(source) == first
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert commit_of(source) == first, "git's own hooks set such variables"
    (tmp_path / "new.txt").write_text("new")
    assert commit_of(source) == {**first, "dirty": True}


def test_package_installed_inside_another_repository_has_no_commit(source: Path, tmp_path: Path) -> None:
    nothing = {"commit": None, "dirty": None}
    installed = tmp_path / ".venv" / "lib" / "package" / "code.py"
    beside = tmp_path / "package" / "code.py"
    for path in (installed, beside):
        path.parent.mkdir(parents=True)
        path.write_text("")
        assert commit_of(path) == nothing
    assert commit_of(tmp_path.parent / "code.py") == nothing
