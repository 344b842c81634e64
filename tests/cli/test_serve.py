"""Tests of `posescope serve` before it listens: options, keys, warnings."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.serving.conftest import MODEL, PixelBackend

import posescope.cli.serve as command
from posescope.cli import cli
from posescope.prediction.estimator import PoseEstimator
from posescope.serving.options import ServingOptions

KEY = "0123456789abcdef-key"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what would be served; no server is started and no network is loaded."""
    from posescope.artifacts.description import read_description  # noqa: PLC0415
    from posescope.serving import server  # noqa: PLC0415

    calls: list[dict[str, Any]] = []

    def record(application: Any, bound: Any, options: ServingOptions, announce: Any) -> None:
        calls.append({"application": application, "port": bound.getsockname()[1], "options": options})
        bound.close()

    monkeypatch.setattr(server, "serve", record)
    monkeypatch.setattr(PoseEstimator, "load", lambda *_, **__: PoseEstimator(read_description(MODEL), PixelBackend()))
    monkeypatch.setattr(command, "_log_to_stderr", lambda: None)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.delenv("POSESCOPE_API_KEY", raising=False)
    return calls


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, ["serve", str(MODEL), "--port", "0", *map(str, words)])


def test_options_of_the_command_are_those_of_the_server(started: list[dict[str, Any]]) -> None:
    result = call("--max-batch", 3, "--timeout-s", 1.5, "--flip-test")
    assert result.exit_code == 0, result.output
    assert started[0]["options"] == ServingOptions(max_batch=3, timeout_s=1.5, flip_test=True)
    assert "generated sample" in result.stderr
    assert "Warning" not in result.stderr


def test_every_limit_is_an_option_of_the_command() -> None:
    own = {parameter.name for parameter in command.serve.params}
    assert set(ServingOptions.model_fields) <= own


@pytest.mark.parametrize(("key", "words"), [(None, "need no API key"), (KEY, "need an API key")])
def test_open_server_is_announced(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, key: str | None, words: str
) -> None:
    if key is not None:
        monkeypatch.setenv("POSESCOPE_API_KEY", key)
    result = call("--host", "0.0.0.0")
    assert result.exit_code == 0, result.output
    assert words in result.stderr
    assert KEY not in result.output


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("--max-batch", 0), 2),
        (("--max-body-mb", "inf"), 2),
        (("--set", "path=a.onnx"), 2),
        (("--detector", "boxes_file"), 1),
        (("--detector", "none"), 1),
        (("--api-key-file", "no-file"), 2),
        (("--host", "192.0.2.1"), 1),
    ],
)
def test_wrong_options_end_before_the_server_starts(
    started: list[dict[str, Any]], words: tuple[object, ...], exit_code: int
) -> None:
    result = call(*words)
    assert result.exit_code == exit_code, result.output
    assert not started
    assert "Traceback" not in result.output


def test_weak_key_is_refused(started: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("short\n")
    result = call("--api-key-file", tmp_path / "keys")
    assert (result.exit_code, "short\n" in result.output) == (1, False)


def test_missing_package_is_named(started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else object())
    result = call()
    assert result.exit_code == 1
    assert "uvicorn" in result.stderr
    assert "posescope[serve]" in result.stderr
