"""The command explore: defaults, the warning of other hosts, and errors."""

import importlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.cli.untrained_models import save_untrained
from tests.explorer.hand_made_table import about_of, table_of

from posescope.artifacts.description import DESCRIPTION
from posescope.cli import cli
from posescope.explorer.app import server
from posescope.explorer.map_thinning import MAX_SHOWN
from posescope.explorer.opened_run import open_run
from posescope.explorer.static_site.export import SiteOptions
from posescope.explorer.table_file import ExplorerStore
from posescope.sample.generator import generate_sample
from posescope.sample.options import SampleOptions


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


def test_other_run_adds_the_tab_that_compares(data_dir: Path, served: list[dict[str, Any]]) -> None:
    """Two runs without common persons are refused in one line."""
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--compare", str(data_dir), "--port", "0"])
    assert result.exit_code == 0, result.output
    other = data_dir.parent / "other"
    table = table_of(3, data="9" * 16)
    changed = replace(table, columns=table.columns.assign(annotation_id=[7, 8, 9]))
    ExplorerStore(other / "08_reporting" / "explorer").write(changed, lambda rows: [b"\xff\xd8\xff"] * len(rows))
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--compare", str(other), "--port", "0"])
    assert result.exit_code == 1
    assert "found none of them" in result.output
    assert len(served) == 1


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


def test_page_opens_with_a_slice_selected(data_dir: Path, served: list[dict[str, Any]]) -> None:
    (known, *_) = (one.id for one in about_of().slices)
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--port", "0", "--slice", known])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip().endswith(f"/?slice={known}")


def test_unknown_slice_is_an_error_that_lists_the_ids(data_dir: Path, served: list[Any]) -> None:
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--slice", "slice-99"])
    assert (result.exit_code, result.stderr.count("\n"), served) == (1, 1, [])
    assert all(one.id in result.stderr for one in about_of().slices)


def test_model_folder_without_photographs_names_the_options(tmp_path: Path) -> None:
    (tmp_path / DESCRIPTION).write_text("{}")
    result = CliRunner().invoke(cli, ["explore", str(tmp_path)])
    assert result.exit_code == 1
    assert "--data" in result.stderr


@pytest.mark.parametrize("option", [("--seed", "0"), ("--layer", "x"), ("--output", "out")])
def test_options_of_an_explanation_need_photographs(data_dir: Path, served: list[Any], option: tuple[str, str]) -> None:
    result = CliRunner().invoke(cli, ["explore", str(data_dir), *option])
    assert (result.exit_code, served) == (2, [])
    assert "--data" in result.stderr
    assert option[0] in result.stderr


@pytest.mark.slow
def test_model_on_photographs_is_explained_once(
    tmp_path: Path, served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `--output` the results are in the user's cache; other options are computed beside them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = save_untrained(tmp_path / "model")
    generate_sample(tmp_path / "sample", SampleOptions(train_persons=3, val_persons=40, workers=1))
    data = tmp_path / "sample" / "annotations" / "person_keypoints_val2017.json"

    def explored(*options: str) -> Result:
        quick = ("--analysis", "truncation", "--device", "cpu", "--port", "0")
        result = CliRunner().invoke(cli, ["explore", str(model), "--data", str(data), *quick, *options])
        assert result.exit_code == 0, result.output
        return result

    first, second = explored(), explored()
    (folder,) = (tmp_path / "cache" / "posescope" / "explored").iterdir()
    assert [str(folder) in one.stderr for one in (first, second)] == [True, True]
    assert "analysis: truncation" in first.stderr
    assert "analysis" not in second.stderr
    assert len(open_run(folder).crops()) > 30
    own = explored("--output", str(tmp_path / "out"), "--photographs", "blurred")
    assert "analysis: truncation" in own.stderr
    assert open_run(tmp_path / "out").about.photographs == "blurred"
    assert len(served) == 3


def test_page_without_server_needs_no_dash(data_dir: Path, served: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("posescope.cli.explore")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    page = data_dir.parent / "site" / "index.html"
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--export", str(page.parent), "--export-persons", "2"])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{page}\n"
    assert "3 of 3 persons, 2 with a thumbnail" in result.stderr
    assert page.is_file()
    assert not served


def test_explanation_is_exported_as_well(tmp_path: Path) -> None:
    ExplorerStore(tmp_path / "explained" / "results" / "explorer").write(table_of(3), lambda rows: [b"\xff\xd8\xff"] * len(rows))
    result = CliRunner().invoke(cli, ["explore", str(tmp_path / "explained"), "--export", str(tmp_path / "site")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize(
    "options", [["--export", "site", "--port", "0"], ["--export", "site", "--slice", "slice-1"], ["--export-persons", "9"]]
)
def test_options_of_the_server_and_of_the_export_are_not_mixed(
    data_dir: Path, served: list[Any], options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data_dir.parent)
    result = CliRunner().invoke(cli, ["explore", str(data_dir), *options])
    assert result.exit_code == 1
    assert options[-2] in result.output
    assert not served
    assert not Path("site").exists()


@pytest.mark.parametrize("option", ["--export", "--compare", "--data", "--output", ""])
def test_empty_path_is_refused(
    data_dir: Path, served: list[Any], option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise an empty variable of a script stands for the current folder."""
    monkeypatch.chdir(data_dir)
    before = sorted(data_dir.rglob("*"))
    result = CliRunner().invoke(cli, ["explore", *([str(data_dir), option] if option else []), ""])
    assert (result.exit_code, served) == (2, [])
    assert "empty" in result.stderr
    assert sorted(data_dir.rglob("*")) == before


def test_export_that_cannot_be_written_is_refused_before_the_run_is_read(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    result = CliRunner().invoke(cli, ["explore", str(data_dir / "absent"), "--export", str(tmp_path / "link" / "site")])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert str(tmp_path / "link") in result.stderr


def test_foreign_page_is_not_replaced(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    result = CliRunner().invoke(cli, ["explore", str(data_dir), "--export", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert (tmp_path / "index.html").read_text() == "mine"


def test_bounds_of_the_thumbnails_are_those_of_the_page(data_dir: Path) -> None:
    shown = CliRunner().invoke(cli, ["explore", "--help"]).output
    assert f"1<=x<={MAX_SHOWN}" in shown
    assert f"default: {SiteOptions().featured_persons}" in " ".join(shown.split())
