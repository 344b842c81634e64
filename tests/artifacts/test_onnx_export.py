"""Tests of posescope.artifacts.onnx_export: predictions equal those of PyTorch, and refused models."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from posescope.artifacts import onnx_export
from posescope.artifacts.description import ModelFolderError, read_description
from posescope.artifacts.exported_model import NETWORK
from posescope.artifacts.model_folder import load_model
from posescope.artifacts.onnx_export import export_onnx
from posescope.artifacts.onnx_model import OnnxModel
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError, OptionsError
from posescope.core.files import sha256_of
from posescope.core.records import CropJoints
from posescope.core.skeleton import COCO_PERSON
from posescope.prediction.estimator import PoseEstimator

SESSION = onnxruntime.InferenceSession
CROPS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_predictions_equal_those_of_pytorch(model_folders: Any, count: int, flip_test: bool) -> None:
    model, session = load_model(model_folders.torch), OnnxModel(read_description(model_folders.onnx))
    expected = model.predict(torch.from_numpy(CROPS[:count]), flip_test=flip_test)
    found = session.run(CROPS[:count], flip_test)
    assert (found.joints.shape, found.scores.shape) == ((count, 3, 2), (count, 3))
    np.testing.assert_allclose(found.joints, expected.joints.numpy(), atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), atol=1e-5)


def test_folder_states_the_largest_differences(model_folders: Any) -> None:
    source, folder, check = model_folders.torch, model_folders.onnx, model_folders.check
    original, content = (json.loads((path / "model.json").read_text()) for path in (source, folder))
    assert {name: content[name] for name in original} == original
    assert content["export"]["largest_difference"] == {
        "crops": 5, "heatmaps": check.heatmaps, "joints_px": check.joints_px, "scores": check.scores,
        "decoders_px": check.decoders_px,
    }  # fmt: skip
    assert check.joints_px < 1e-3
    assert sorted(path.name for path in folder.iterdir()) == [
        "decoder.onnx", "flip_test_decoder.onnx", "model.json", "model.onnx",
    ]  # fmt: skip


def test_torch_is_not_imported(model_folders: Any) -> None:
    code = (
        "import sys, numpy as np\n"
        "from posescope.prediction.estimator import PoseEstimator\n"
        f"poses = PoseEstimator.load({str(model_folders.onnx)!r}).predict_one(np.zeros((40, 30, 3), np.uint8))\n"
        "print(len(poses), sorted({'torch', 'kedro', 'pandas', 'pandera', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 []"


def test_changed_file_is_an_error(model_folders: Any, tmp_path: Path) -> None:
    for path in model_folders.onnx.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / NETWORK).write_bytes((tmp_path / NETWORK).read_bytes() + b"x")
    with pytest.raises(ModelFolderError, match=r"model\.onnx: .*SHA-256"):
        OnnxModel(read_description(tmp_path))
    (tmp_path / NETWORK).unlink()
    with pytest.raises(ModelFolderError, match=r"model\.onnx"):
        OnnxModel(read_description(tmp_path))


def test_file_that_is_no_onnx_is_an_error(model_folders: Any, tmp_path: Path) -> None:
    shutil.copytree(model_folders.onnx, tmp_path, dirs_exist_ok=True)
    about = read_description(tmp_path)
    (tmp_path / NETWORK).write_bytes(b"no network")
    files = {**about.export["files"], NETWORK: sha256_of(tmp_path / NETWORK)}
    with pytest.raises(ModelFolderError, match=r"model\.onnx"):
        OnnxModel(about.model_copy(update={"export": {"files": files}}))


@pytest.mark.parametrize("files", [None, [], {}, {NETWORK: "00"}, "more"])
def test_every_file_needs_its_checksum(model_folders: Any, files: Any) -> None:
    about = read_description(model_folders.onnx)
    if files == "more":
        files = {**about.export["files"], "other.onnx": "00"}
    with pytest.raises(ModelFolderError, match=r"export\.files"):
        OnnxModel(about.model_copy(update={"export": {} if files is None else {"files": files}}))


def test_graphs_of_other_shapes_are_an_error_when_loaded(model_folders: Any) -> None:
    about = read_description(model_folders.onnx)
    with pytest.raises(ModelFolderError, match=r"model\.onnx: .* expected inputs {'crops': \[64, 32, 3\]} .*\[32, 32, 3\]"):
        OnnxModel(about.model_copy(update={"crop_size": (64, 32)}))
    with pytest.raises(ModelFolderError, match=r"model\.onnx: .* outputs \[\[17, .* \[\[3, "):
        OnnxModel(about.model_copy(update={"skeleton": COCO_PERSON}))


def test_failure_of_onnx_runtime_names_the_input(model_folders: Any) -> None:
    with pytest.raises(ModelFolderError, match=r"\(5, 16, 32, 3\)"):
        OnnxModel(read_description(model_folders.onnx)).run(CROPS[:, :16])


def test_device_is_the_requested_one(model_folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    both, requested = ["CUDAExecutionProvider", "CPUExecutionProvider"], []

    def open_session(path: str, options: Any, providers: list[Any]) -> Any:
        requested.append(providers)
        return SESSION(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    PoseEstimator.load(model_folders.onnx, device="cpu")
    PoseEstimator.load(model_folders.onnx)
    assert requested == [both[1:]] * 3 + [both] * 3
    with pytest.raises(OptionsError, match="cuda:1"):
        PoseEstimator.load(model_folders.onnx, device="cuda:1")
    assert requested[-1] == [("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both[1:])
    with pytest.raises(OptionsError, match="CPUExecutionProvider"):
        PoseEstimator.load(model_folders.onnx, device="cuda")
    with pytest.raises(OptionsError, match="gpu"):
        PoseEstimator.load(model_folders.onnx, device="gpu")


def test_list_as_onnx_section_is_an_error(model_folders: Any, tmp_path: Path) -> None:
    content = json.loads((model_folders.onnx / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**content, "export": []}))
    with pytest.raises(ModelFolderError, match="export"):
        read_description(tmp_path)


def test_changed_description_is_an_error(model_folders: Any, tmp_path: Path) -> None:
    content = json.loads((model_folders.onnx / "model.json").read_text())
    content["skeleton"]["joints"].reverse()
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelFolderError, match="changed"):
        read_description(tmp_path)


@pytest.mark.parametrize("crops", [CROPS[:0], CROPS[:, :16]], ids=["none", "size"])
def test_crops_of_the_models_size_are_needed(model_folders: Any, tmp_path: Path, crops: np.ndarray) -> None:
    with pytest.raises(DataError, match="crops"):
        export_onnx(model_folders.torch, tmp_path / "out", crops)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def quick_export(model_folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the graphs of the shared export, because an export takes seconds."""

    def copy(model: PoseModel, folder: Path) -> None:
        for path in model_folders.onnx.glob("*.onnx"):
            (folder / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(onnx_export, "_write_graphs", copy)


@pytest.mark.usefixtures("quick_export")
def test_only_an_earlier_export_is_replaced(model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, other = tmp_path / "models" / "one", tmp_path / "photos"
    shutil.copytree(model_folders.torch, source)
    shutil.copytree(model_folders.torch, tmp_path / "models" / "two")
    other.mkdir()
    (other / "a.jpg").write_bytes(b"precious")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(other)
    before = sorted(tmp_path.rglob("*"))
    for place, message in {
        source: "the model",
        Path("../models"): "the model",
        Path(): "working",
        tmp_path / "models" / "two": r"model\.safetensors",
        other / "a.jpg": "is a file",
    }.items():
        with pytest.raises(OptionsError, match=message):
            export_onnx(source, place, CROPS)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionsError, match=r"a\.jpg"):
        export_onnx(source, Path("photos"), CROPS)
    assert sorted(tmp_path.rglob("*")) == before
    for place in ("empty", "new", "new"):
        assert export_onnx(source, Path(place), CROPS).crops == 5
        assert len(list((tmp_path / place).iterdir())) == 4


@pytest.mark.usefixtures("quick_export")
def test_predictions_that_differ_are_not_written(model_folders: Any, tmp_path: Path) -> None:
    assert onnx_export.export_onnx(model_folders.torch, tmp_path / "in", CROPS).crops == 5
    with pytest.raises(DataError, match="heatmaps"):
        export_onnx(model_folders.torch, tmp_path / "out", CROPS, tolerance=-1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


class ShiftedDecoder(OnnxModel):
    """Decoder with an error that the test selects."""

    flip_test, joints, scores = False, 0.0, 0.0

    def decode(self, maps: np.ndarray, mirrored: np.ndarray | None = None) -> CropJoints:
        found = super().decode(maps, mirrored)
        if self.flip_test and mirrored is None:
            return found
        return CropJoints(found.joints + np.float32(self.joints), found.scores + np.float32(self.scores))


@pytest.mark.usefixtures("quick_export")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"joints": 0.1}, "decoders' joints differ from PyTorch's by 0.14 px"),
        ({"joints": 0.1, "flip_test": True}, "decoders' joints differ from PyTorch's by 0.14 px"),
        ({"scores": 0.1, "flip_test": True}, "model's scores differ"),
    ],
)
def test_decoders_with_errors_are_not_written(
    model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, float], message: str
) -> None:
    monkeypatch.setattr(onnx_export, "OnnxModel", type("Wrong", (ShiftedDecoder,), wrong))
    with pytest.raises(DataError, match=message):
        export_onnx(model_folders.torch, tmp_path / "out", CROPS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick_export")
@pytest.mark.parametrize("mirrored", [False, True])
def test_tolerance_is_a_fraction_of_the_largest_heatmap_px(
    model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirrored: bool
) -> None:
    """Peaks of a trained network can be as low as 0.05, of which a fixed tolerance of 0.001 would be 2 %."""
    largest = float(load_model(model_folders.torch).heatmaps(torch.from_numpy(CROPS)).abs().max())

    class Noisy(OnnxModel):
        def heatmaps(self, crops: np.ndarray) -> np.ndarray:
            of_mirrored = np.array_equal(crops, CROPS[:, :, ::-1])
            return super().heatmaps(crops) + np.float32(0.01 * largest if of_mirrored == mirrored else 0)

    monkeypatch.setattr(onnx_export, "OnnxModel", Noisy)
    assert export_onnx(model_folders.torch, tmp_path / "in", CROPS, tolerance=0.02).heatmaps == pytest.approx(
        0.01 * largest, 1e-3
    )
    with pytest.raises(DataError, match="heatmaps"):
        export_onnx(model_folders.torch, tmp_path / "out", CROPS, tolerance=0.005)
