"""The command explore: defaults, the warning of other hosts, and errors."""

import importlib
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.explorer.hand_made_table import table_of

from posescope.cli import cli
from posescope.explorer.app import server
from posescope.explorer.table_file import ExplorerStore


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    ExplorerStore(tmp_path / "data" / "08_reporting" / "explorer").write(table_of(3), lambda rows: [b"\xff\xd8\xff"] * len(rows))
    return tmp_path / "data"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what would be served; nothing is."""
    calls: list[dict[str, Any]] = []

    def serve(app: Any, address: server.ListeningAddress, announce: Any, *, open_browser: bool) -> None:
        announce(address.url)
        address.socket.close()
        calls.append({"rules": address.rules, "open_browser": open_browser, "title": app.title})

    monkeypatch.setattr(server, "serve", serve)
    return calls


def test_run_is_served_on_loopback(data_dir: Path, served: list[dict[str, Any]]) -> None:
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--port", "0"])
    assert result.exit_code == 0, result.output
    assert (served[0]["rules"].host, served[0]["rules"].token, served[0]["open_browser"]) == ("127.0.0.1", None, True)
    assert result.stdout.startswith("http://127.0.0.1:")
    assert "Warning" not in result.output


def test_other_hosts_have_a_warning_and_a_token(data_dir: Path, served: list[dict[str, Any]]) -> None:
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--host", "0.0.0.0", "--port", "0", "--no-browser"])
    assert result.exit_code == 0, result.output
    assert "Warning" in result.stderr
    assert served[0]["rules"].token in result.stdout
    assert served[0]["open_browser"] is False


def test_data_dir_of_the_project_is_the_default(data_dir: Path, served: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data_dir.parent)
    assert CliRunner().invoke(cli, ["explore", "--port", "0"]).exit_code == 0
    assert len(served) == 1


def test_folder_without_table_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["explore", str(tmp_path)])
    assert result.exit_code == 1
    assert "reporting" in result.output
    assert "Traceback" not in result.output


def test_missing_package_names_the_extra(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("posescope.cli.explore")
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "dash" else object())
    result = CliRunner().invoke(cli, ["explore", str(data_dir)])
    assert result.exit_code == 1
    assert "posescope[explore]" in result.output


@pytest.mark.parametrize(("own", "expected"), [(None, "passive"), ("active", "active")])
def test_waiting_threads_give_way_unless_the_user_says_otherwise(
    data_dir: Path, served: list[Any], monkeypatch: pytest.MonkeyPatch, own: str | None, expected: str
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", own or "")
    if own is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    assert CliRunner().invoke(cli, ["explore", str(data_dir), "--port", "0"]).exit_code == 0
    assert os.environ["OMP_WAIT_POLICY"] == expected
