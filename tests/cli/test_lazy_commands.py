"""Tests of the lazy commands: the help page imports no command, and its short help equals that of the commands."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from posescope.cli import COMMANDS, cli
from posescope.core.extras import MissingPackageError
from posescope.core.plugins import load_component


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_short_help_equals_that_of_the_command(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name].short_help


def test_help_lists_all_commands() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert all(f"  {name} " in result.output and place.short_help in result.output for name, place in COMMANDS.items())


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys; from posescope.cli import cli; cli(['--help'], standalone_mode=False)\n"
        "print(sorted({'torch', 'kedro', 'pandas', 'numpy', 'joblib', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_missing_package_within_a_command_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("posescope.cli.export.find_model", fail)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["export", "--out", "exported"])
    assert result.exit_code == 1
    expected = "posescope export needs the package torch, which is not installed. Install it: pip install 'posescope[export]'"
    assert result.output == f"Error: {expected}\n"


def test_component_whose_package_is_missing_is_listed_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(group: str, name: str) -> Any:
        if name == "mse":
            raise MissingPackageError("this", "torch")
        return load_component(group, name)

    monkeypatch.setattr("posescope.cli.plugins.load_component", load)
    result = CliRunner().invoke(cli, ["plugins", "losses"])
    assert result.exit_code == 0
    assert re.search(r"^  mse  not available: pip install 'posescope\[train\]'  \[posescope ", result.output, re.MULTILINE)
    assert "  integral  " in result.output


def test_renamed_command_is_refused_with_the_new_name() -> None:
    result = CliRunner().invoke(cli, ["agree", "a", "b"])
    assert result.exit_code == 2
    assert "similarity" in result.output
