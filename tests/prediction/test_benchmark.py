"""Tests of posescope.prediction.benchmark: which folders are found, and times by a clock of the test."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.files import read_json, write_json
from posescope.core.records import CropJoints
from posescope.prediction.benchmark import describe_machine, find_variants, measure_variants, open_variants


class Sleeper:
    """A backend that advances a clock by a fixed time per crop."""

    name = "sleeper"

    def __init__(self, clock: list[float], seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def run(self, crops: np.ndarray, flip_test: bool = False) -> CropJoints:
        self.clock[0] += self.seconds * len(crops)
        return CropJoints(np.zeros((len(crops), 3, 2), np.float32), np.zeros((len(crops), 3), np.float32))


def test_times_and_ratios_of_a_known_clock(model_folders: Any) -> None:
    variants, clock = find_variants(model_folders.torch), [0.0]
    backends: Any = dict(zip(variants, (Sleeper(clock, 0.04), Sleeper(clock, 0.01)), strict=True))
    first, second = measure_variants(backends, batch_size=4, rounds=2, seconds=0.2, clock=lambda: clock[0])
    assert (first.label, second.label) == ("torch float32 cpu", "onnx float32 cpu")
    assert first.latency_ms == pytest.approx(40)
    assert second.latency_p95_ms == pytest.approx(10)
    assert second.crops_per_s == pytest.approx(100)
    assert (second.latency_ratio, second.throughput_ratio) == (pytest.approx(4), pytest.approx(4))
    assert first.latency_ratio == 1
    assert second.calls == pytest.approx(40, abs=2)


def test_exports_beside_a_model_are_found_and_others_are_not(model_folders: Any, tmp_path: Path) -> None:
    for name in ("torch", "onnx"):
        shutil.copytree(getattr(model_folders, name), tmp_path / name)
    shutil.copytree(model_folders.torch, tmp_path / "other")
    content = read_json(tmp_path / "other" / "model.json")
    del content["description_sha256"]
    write_json(tmp_path / "other" / "model.json", {**content, "weights_sha256": "0" * 64})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{")
    found = find_variants(tmp_path / "torch")
    assert [(one.description.folder.name, one.label) for one in found] == [
        ("torch", "torch float32 cpu"),
        ("onnx", "onnx float32 cpu"),
    ]
    with pytest.raises(DataError, match="expected an export of"):
        find_variants(tmp_path / "torch", [tmp_path / "other"])


def test_damaged_export_beside_the_model_is_left_out(model_folders: Any, tmp_path: Path) -> None:
    for name in ("torch", "onnx"):
        shutil.copytree(getattr(model_folders, name), tmp_path / name)
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"")
    opened, left_out = open_variants(find_variants(tmp_path / "torch"), threads=1)
    assert ([one.label for one in opened], list(left_out)) == (["torch float32 cpu"], ["onnx float32 cpu"])


def test_runtime_that_is_not_installed_is_left_out(model_folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    opened, left_out = open_variants(find_variants(model_folders.torch), threads=1)
    assert [one.label for one in opened] == ["torch float32 cpu"]
    assert "onnxruntime" in left_out["onnx float32 cpu"]


def test_machine_has_versions_and_processors() -> None:
    machine = describe_machine().to_dict()
    assert machine["cpus"] >= 1
    assert machine["cpu"]
    assert {"numpy", "posescope"} <= set(machine["versions"])
