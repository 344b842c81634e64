"""Tests of posescope.__main__: the function that a scheduler calls."""

import sys
from pathlib import Path

import pytest

from posescope.__main__ import main
from posescope.core.errors import DataError, OptionsError

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Return the arguments of a run without data and downloads, with its output in memory."""
    nothing = "data_engineering.sample=null,download.dry_run=true,download.archives.train2017=null,download.archives.val2017=null"
    paths = f"data_dir={tmp_path / 'data'},raw_dir={tmp_path / 'raw'},{nothing}"
    return ["--env", "test", "--pipelines", "download", "--params", paths]


def test_main_returns_the_outputs(words: list[str]) -> None:
    result = main(words)
    assert [archive.state for archive in result["fetched_archives"].load()] == ["not downloaded"]


def test_main_reads_the_arguments_of_the_process_by_default(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["anything", *words])
    assert set(main()) == {"fetched_archives"}


def test_main_raises_errors_unchanged(words: list[str], tmp_path: Path) -> None:
    words[-1] += ",modelling.training.epochs=0"
    with pytest.raises(OptionsError, match=r"modelling\.training\.epochs"):
        main(words)
    paths = f"data_engineering.sample=null,data_dir={tmp_path / 'data'},raw_dir={tmp_path / 'raw'}"
    with pytest.raises(DataError, match="raw_dir"):
        main(["--env", "test", "--pipelines", "data_engineering", "--params", paths])
    with pytest.raises(ValueError, match="no_such"):
        main(["--env", "test", "--pipelines", "no_such"])


def test_main_ends_the_process_in_standalone_mode(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words, standalone_mode=True)
    assert caught.value.code == 0
    with pytest.raises(SystemExit) as caught:
        main(["--env", "no_such"], standalone_mode=True)
    assert caught.value.code == 1
