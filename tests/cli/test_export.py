"""Tests of `posescope export`: formats, their options, what is printed, and errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from posescope.artifacts.onnx_export import ExportCheck
from posescope.cli import cli
from posescope.evaluation.paired_comparison import PairedMetric
from posescope.prediction.exporters.exporter import ExportData, ExportReport
from posescope.prediction.exporters.int8_exporter import Int8Exporter

ACCURACY = PairedMetric("pck_thesis", 40, 0.82, 0.815, -0.005, -0.009, 0.001)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


@pytest.fixture
def crops(model_folders: Any, tmp_path: Path) -> Path:
    """Return a data_dir with crops of the model's size and no other data."""
    shards = tmp_path / "data" / "05_model_input" / "crops"
    shards.mkdir(parents=True)
    np.save(shards / "shard-00000.npy", np.zeros((70, 32, 32, 3), np.uint8))
    (tmp_path / "data" / "model").symlink_to(model_folders.torch)
    return tmp_path / "data"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace the work of the exporter `int8`; return what it was called with."""
    calls: list[Any] = []

    def export(self: Int8Exporter, source: Path, destination: Path, data: ExportData, allow: Any = ()) -> ExportReport:
        calls.append((self.options, data))
        check = ExportCheck(len(data.examples), 0.1, 2.5, 0.05, 0.0)
        return ExportReport(destination, "int8", "int8", check, ACCURACY if self.options.method == "minmax" else None, "left out")

    monkeypatch.setattr(Int8Exporter, "__call__", export)
    return calls


def run_int8(model_folders: Any, crops: Path, monkeypatch: pytest.MonkeyPatch, *more: object) -> Result:
    monkeypatch.chdir(crops.parent)
    return call("--format", "int8", "--model", model_folders.torch, "--out", "out", *more)


def test_options_of_the_format_and_the_crops_reach_it(
    model_folders: Any, crops: Path, seen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_int8(model_folders, crops, monkeypatch, "--set", "calibration_crops=8")
    assert result.exit_code == 0, result.output
    ((options, data),) = seen
    assert (options.calibration_crops, options.max_pck_loss, data.examples.shape) == (8, 0.01, (64, 32, 32, 3))
    assert (data.train, data.validation, data.calibration, data.data) == (None, None, None, "")
    lines = result.stdout.splitlines()
    assert "int8" in lines[0]
    assert "-0.0050 (-0.0090 to +0.0010, 95 %)" in lines[1]
    assert lines[2] == "Calibrated radii of the joints: left out."


def test_accuracy_that_was_not_measured_is_said(
    model_folders: Any, crops: Path, seen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_int8(model_folders, crops, monkeypatch, "--set", "method=percentile")
    assert result.stdout.splitlines()[1].startswith("The accuracy was not measured")


def test_json_has_the_report(model_folders: Any, crops: Path, seen: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads(run_int8(model_folders, crops, monkeypatch, "--json").stdout)
    assert (content["format"], content["precision"], content["radii"]) == ("int8", "int8", "left out")
    assert (content["accuracy"]["difference"], content["check"]["joints_px"]) == (-0.005, 2.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "tensorrt"], "int8, onnx, openvino"),
        (["--format", "int8", "--set", "calibration_crops=0"], "calibration_crops"),
        (["--format", "openvino", "--set", "precision=float64"], "precision"),
    ],
)
def test_unknown_format_or_option_is_an_error(model_folders: Any, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = call(*arguments, "--model", model_folders.torch, "--out", tmp_path / "out")
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert not (tmp_path / "out").exists()
