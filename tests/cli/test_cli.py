"""Tests of posescope.cli: the list of components, and the error messages of `run`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.kedro_sessions import REPOSITORY, configure_once

from posescope.cli import cli
from posescope.cli.run_command import run
from posescope.core.plugins import GROUPS, installed
from posescope.pipeline_registry import parameter_models


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in the repository."""
    configure_once()
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def paths(tmp_path: Path) -> str:
    """Return parameters that write all output to a temporary folder."""
    return f"data_dir={tmp_path / 'data'},raw_dir={tmp_path / 'raw'}"


def invoke(params: str, pipelines: str = "") -> Result:
    return CliRunner().invoke(run, ["--env", "test", "--params", params, "--pipelines", pipelines])


def error_message(result: Result) -> str:
    """Return the error message of a run that ended with exit code 1 and without traceback."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    assert result.output.count("Error: ") == 1
    return result.output.partition("Error: ")[2]


@pytest.mark.parametrize("namespace", sorted(parameter_models()))
def test_unknown_key_stops_the_run(namespace: str, paths: str, tmp_path: Path) -> None:
    message = error_message(invoke(f"{paths},{namespace}.nonsense=1"))
    assert f"  {namespace}.nonsense: unknown name" in message
    assert list(tmp_path.iterdir()) == [], "no node has run"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("modeling.model.name=hourglass", "modeling: unknown top-level key; did you mean 'modelling'?"),
        ("modelling.model.name=nope", "modelling.model: No component 'nope' in posescope.models. Installed: encoder_decoder"),
        ("data_engineering.codec.name=no.such:Codec", "data_engineering.codec: posescope.codecs: 'no.such:Codec' points to"),
        ("modelling.training.epochs=0", "modelling.training.epochs: Input should be greater than or equal to 1 (found 0)"),
        ("modelling.model.options.stacks=x", "stacks: "),
        ("data_dir=file:x", "data_dir: "),
        ("raw_dir=~unknown_user/x", "raw_dir: "),
        ("images=local:photos", "images: "),
        ("test_access_log=s3://bucket/log.json", "test_access_log: "),
    ],
    ids=["top level", "component", "dotted path", "bound", "option", "data_dir", "raw_dir", "images", "test_access_log"],
)
def test_invalid_parameter_stops_the_run(params: str, expected: str, paths: str, tmp_path: Path) -> None:
    assert expected in error_message(invoke(f"{paths},{params}"))
    assert list(tmp_path.iterdir()) == []


def test_missing_input_is_reported_with_its_pipeline(paths: str, tmp_path: Path) -> None:
    message = error_message(invoke(paths, "evaluation"))
    for name, pipeline in {"model": "modelling", "crops": "data_engineering", "persons": "data_engineering"}.items():
        assert any(
            line.startswith(f"  {name} (") and line.endswith(f"run the pipeline {pipeline} first")
            for line in message.splitlines()
        )
    assert str(tmp_path / "data" / "06_models" / "model") in message
    assert list(tmp_path.iterdir()) == []


def test_missing_images_are_named(paths: str, tmp_path: Path) -> None:
    message = error_message(invoke(f"{paths},images={tmp_path / 'images'},model={tmp_path / 'model'}", "inference"))
    assert f"inference_images ({tmp_path / 'images'}): " in message
    assert f"inference_model ({tmp_path / 'model'}): " in message


def test_missing_raw_folder_is_named(paths: str, tmp_path: Path) -> None:
    message = error_message(invoke(f"{paths},data_engineering.sample=null", "data_engineering"))
    assert message.startswith(f"{tmp_path / 'raw'}: ")
    assert "raw_dir" in message
    assert_only_the_run_record_exists(tmp_path, outputs={})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "not a JSON file"),
        ('{"images": [], "categories": []}', "field 'annotations': expected a list, found NoneType"),
        ('{"images": [], "annotations": [], "categories": [{"name": "dog"}]}', "'person'"),
    ],
    ids=["no JSON", "no annotations", "no person category"],
)
def test_malformed_annotations_are_named(paths: str, tmp_path: Path, content: str, expected: str) -> None:
    for split in ("train2017", "val2017"):
        (tmp_path / "raw" / split).mkdir(parents=True)
        (tmp_path / "raw" / "annotations").mkdir(exist_ok=True)
        (tmp_path / "raw" / "annotations" / f"person_keypoints_{split}.json").write_text(content)
    message = error_message(invoke(f"{paths},data_engineering.sample=null", "data_engineering"))
    assert message.startswith(str(tmp_path / "raw" / "annotations" / "person_keypoints_train2017.json"))
    assert expected in message
    assert_only_the_run_record_exists(tmp_path, outputs={"raw_source": str(tmp_path / "raw")})


def assert_only_the_run_record_exists(tmp_path: Path, outputs: dict[str, str]) -> None:
    files = (item for item in (tmp_path / "data").rglob("*") if item.is_file())
    (path,) = (item for item in files if not {".lock", ".lock.workers", ".checksums", "journal.jsonl"} & set(item.parts))
    record = json.loads(path.read_text())
    assert (path.name, record["status"], record["outputs"]) == ("run.json", "failed", outputs)
    assert record["error"].startswith("DataError: ")


def test_unknown_pipeline_is_reported_with_a_close_match(paths: str, tmp_path: Path) -> None:
    message = error_message(invoke(paths, "modeling"))
    assert message.startswith("Failed to find the pipeline named 'modeling'.")
    assert message.strip().endswith("modelling")
    assert list(tmp_path.iterdir()) == []


def test_unknown_environment_is_named() -> None:
    message = error_message(CliRunner().invoke(run, ["--env", "no_such"]))
    assert str(REPOSITORY / "conf" / "no_such") in message


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("--nodes", "no_such", "no_such"),
        ("--from-nodes", "no_such", "no_such"),
        ("--to-nodes", "no_such", "no_such"),
        ("--from-inputs", "no_such", "no_such"),
        ("--to-outputs", "no_such", "no_such"),
        ("--namespaces", "no_such", "no_such"),
        ("--tags", "no_such", "no nodes"),
        ("--runner", "NoSuchRunner", "--runner NoSuchRunner"),
        ("--runner", "no.such.Runner", "--runner no.such.Runner"),
        ("--runner", "kedro.io.DataCatalog", "--runner kedro.io.DataCatalog"),
        ("--runner-params", "no_such=1", "no_such"),
        ("--load-versions", "model", "--load-versions"),
        ("--load-versions", "no_such:2026-01-02T03.04.05.678Z", "no_such"),
        ("--load-versions", "persons:2026-01-02T03.04.05.678Z", "persons "),
        ("--load-versions", "model:2026-01-02T03.04.05.678Z", "2026-01-02T03.04.05.678Z"),
        ("--conf-source", "no/such/folder", "no/such/folder"),
    ],
)
def test_unknown_name_is_reported_in_one_line(option: str, value: str, named: str, paths: str, tmp_path: Path) -> None:
    arguments = ["--env", "test", "--params", paths, "--pipelines", "evaluation", option, value]
    message = error_message(CliRunner().invoke(run, arguments))
    assert named in message
    assert len(message.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_mutually_exclusive_options_are_named() -> None:
    assert "--pipelines" in error_message(CliRunner().invoke(run, ["--pipeline", "tune", "--pipelines", "evaluation"]))


def test_another_value_error_keeps_its_traceback(paths: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_error(*arguments: object, **named: object) -> None:
        raise ValueError("not an error of the user")

    monkeypatch.setattr("posescope.kedro_support.run_checks.check_parameters", raise_error)
    assert isinstance(invoke(paths).exception, ValueError)


def test_other_data_is_not_replaced_by_the_sample(paths: str, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "notes.txt").write_text("of the user")
    assert str(tmp_path / "raw") in error_message(invoke(paths, "data_engineering"))
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["notes.txt"]


def test_unexpected_error_keeps_its_traceback(paths: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_error(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("posescope.kedro_support.run_checks.check_parameters", raise_error)
    assert isinstance(invoke(paths).exception, ZeroDivisionError)


def test_plugins_lists_every_component_with_its_options() -> None:
    result = CliRunner().invoke(cli, ["plugins"])
    assert result.exit_code == 0
    for group in GROUPS:
        assert f"posescope.{group}" in result.output
        assert all(f"  {row.name}  " in result.output and row.value in result.output for row in installed(group))
    assert "stacks: " in result.output
    assert "(default " in result.output


def test_plugins_lists_the_components_of_one_group() -> None:
    result = CliRunner().invoke(cli, ["plugins", "codecs"])
    assert result.exit_code == 0
    assert "thesis_256" in result.output
    assert "hourglass" not in result.output


def test_unknown_plugin_group_is_refused() -> None:
    result = CliRunner().invoke(cli, ["plugins", "codec"])
    assert result.exit_code == 2
    assert "'codec' is not one of" in result.output


@pytest.mark.parametrize(
    "entry_point",
    [["-m", "kedro", "run"], ["-m", "posescope"], ["-c", "from posescope.cli import cli; cli()", "run"]],
    ids=["kedro run", "python -m posescope", "posescope run"],
)
def test_every_entry_point_reports_invalid_parameters_in_one_message(entry_point: list[str], paths: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, *entry_point, "--env", "test", "--params", f"{paths},reporting.pages=2"],
        cwd=REPOSITORY,
        env={**os.environ, "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stdout + process.stderr
    assert "Error: 1 wrong parameters (conf/base, conf/test or --params):\n  reporting.pages: unknown name" in process.stderr
    assert list(tmp_path.iterdir()) == []
