"""Tests of `posescope benchmark`: a line per model, JSON, and errors."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from posescope.cli import cli

QUICK = ("--rounds", "1", "--seconds", "0.01", "--threads", "1", "--batch-size", "2")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["benchmark", *map(str, arguments)])


def test_every_export_beside_the_model_has_a_line(model_folders: Any) -> None:
    result = call(model_folders.torch, *QUICK)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "1 of" in lines[0]
    assert "onnxruntime" in lines[1]
    assert [line.split()[:3] for line in lines[3:]] == [["torch", "float32", "cpu"], ["onnx", "float32", "cpu"]]


def test_json_has_machine_and_times(model_folders: Any) -> None:
    content = json.loads(call(model_folders.torch, model_folders.onnx, *QUICK, "--json").stdout)
    assert (content["threads"], content["rounds"], content["left_out"]) == (1, 1, {})
    assert len(content["timings"]) == 2
    assert all(one["latency_ms"] > 0 and one["crops_per_s"] > 0 for one in content["timings"])
    assert content["machine"]["versions"]["numpy"]


def test_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    result = call(tmp_path)
    assert result.exit_code == 1
    assert "no trained model" in result.stderr
