"""Tests of posescope.cli.run_command."""

from typing import Any

import pytest
from click.testing import CliRunner
from kedro.io import DatasetError
from tests.kedro_sessions import configure_once

from posescope.cli.base import PosescopeCommand
from posescope.cli.run_command import run
from posescope.core.errors import DataError
from posescope.core.storage_retries import StoreUnavailableError


@pytest.mark.parametrize(("cause", "code"), [(DataError("x"), 1), (StoreUnavailableError("x"), 75)])
def test_message_and_exit_code_are_those_of_the_cause(cause: Exception, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    configure_once()

    def fail(*_: Any) -> None:
        raise DatasetError("Failed while saving data.") from cause

    monkeypatch.setattr(PosescopeCommand, "invoke", fail)
    result = CliRunner().invoke(run, [])
    assert (result.exit_code, result.output) == (code, "Error: x\n")
