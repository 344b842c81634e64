"""Tests of the lazy commands: the help page imports no command, and its short help equals that of the commands."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from posescope.cli import COMMANDS, cli


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_short_help_equals_that_of_the_command(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]


def test_help_lists_all_commands() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert all(f"  {name} " in result.output and text in result.output for name, (_, text) in COMMANDS.items())


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys; from posescope.cli import cli; cli(['--help'], standalone_mode=False)\n"
        "print(sorted({'torch', 'kedro', 'pandas', 'numpy', 'joblib', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_renamed_command_is_refused_with_the_new_name() -> None:
    result = CliRunner().invoke(cli, ["agree", "a", "b"])
    assert result.exit_code == 2
    assert "similarity" in result.output
