"""Tests of posescope.prediction.exporters: int8 and openvino from a shared float32 export, accuracy, and radii."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from posescope.artifacts import exported_model
from posescope.artifacts.description import model_fingerprint, read_description
from posescope.artifacts.exported_model import ExportedModel
from posescope.artifacts.onnx_model import OnnxModel
from posescope.artifacts.uncertainty import JointCalibration, Uncertainty, read_uncertainty, write_uncertainty
from posescope.cli import cli
from posescope.core.errors import DataError
from posescope.core.files import read_json, write_json
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import CropJoints, PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.prediction import estimator as estimator_module
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.exporters import graph_export
from posescope.prediction.exporters.accuracy import compare_accuracy, predict_persons
from posescope.prediction.exporters.exporter import ExportData, ExportReport, LabelledCrops

CROPS = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
INT8 = {"tolerance": 5.0, "max_pck_loss": 1.0}  # a network with random weights


def labelled(model: ExportedModel | None, names: tuple[str, ...]) -> LabelledCrops:
    """Return persons whose annotated joints are those that a model predicts, or the corner."""
    joints = np.zeros((40, 3, 2), np.float32) if model is None else model.run(CROPS).joints
    targets = PoseTargets(np.arange(40), joints, np.full((40, 3), 2, np.uint8), joint_names=names)
    crops = CropSet(targets, [CROPS], np.stack([np.zeros(40, np.int64), np.arange(40)], axis=1))
    return LabelledCrops(crops, np.arange(40))


@pytest.fixture(scope="module")
def source(model_folders: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a calibrated model folder."""
    folder = tmp_path_factory.mktemp("calibrated") / "model"
    shutil.copytree(model_folders.torch, folder)
    joints = read_description(folder).skeleton.joints
    radii = tuple(JointCalibration(joint=name, labels=9, photographs=9, score_edges=(), radii=((1.0,),)) for name in joints)
    write_uncertainty(
        folder,
        Uncertainty(
            model=model_fingerprint(folder), data="", persons=9, photographs=9, level=0.5, levels=(0.5,), max_radius_px=3.2,
            plain=radii, flip_test=radii,
        ),
    )  # fmt: skip
    return folder


@pytest.fixture
def data(model_folders: Any) -> ExportData:
    model = OnnxModel(read_description(model_folders.onnx))
    persons = labelled(model, model.description.skeleton.joints)
    return ExportData(CROPS[:5], "noise", "0123", train=persons, validation=persons, calibration=persons)


@pytest.fixture(autouse=True)
def quick_export(model_folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the shared ONNX export, which takes seconds."""

    def copy(source: Path, destination: Path, crops: np.ndarray, allow: Any = ()) -> None:
        shutil.copytree(model_folders.onnx, destination)
        if (source / "uncertainty.json").exists():
            shutil.copy(source / "uncertainty.json", destination)

    monkeypatch.setattr(graph_export, "export_onnx", copy)


def export(name: str, source: Path, out: Path, data: ExportData, **options: Any) -> ExportReport:
    report: ExportReport = build("exporters", ComponentSpec(name=name, options=options))(source, out, data)
    return report


def test_int8_export_describes_itself_and_runs(source: Path, data: ExportData, tmp_path: Path) -> None:
    report = export("int8", source, tmp_path / "int8", data, calibration_crops=8, **INT8)
    about = read_description(tmp_path / "int8").export
    assert (about["format"], about["backend"], about["precision"]) == ("int8", {"name": "onnx", "options": {}}, "int8")
    assert about["source"] == model_fingerprint(source) != model_fingerprint(tmp_path / "int8")
    quantisation = about["quantisation"]
    assert isinstance(quantisation, dict)
    assert {key: quantisation[key] for key in ("crops", "of", "data", "method")} == {
        "crops": 8, "of": "training persons", "data": "0123", "method": "minmax",
    }  # fmt: skip
    assert report.accuracy is not None
    assert (report.accuracy.count, report.accuracy.a) == (40, 1.0), "the labels are what the float32 model predicts"
    assert report.accuracy.low <= report.accuracy.difference <= report.accuracy.high
    assert about["accuracy"] == report.accuracy.to_dict()
    facts = json.loads(CliRunner().invoke(cli, ["info", str(tmp_path / "int8"), "--json"]).stdout)
    assert (facts["kind"], facts["precision"], facts["source"]) == ("int8", "int8", model_fingerprint(source))
    assert facts["pck_thesis_difference"] == [report.accuracy.difference, report.accuracy.low, report.accuracy.high]
    estimator = PoseEstimator.load(tmp_path / "int8")
    assert estimator.backend.name == "onnx"
    assert estimator.predict_one(CROPS[0]).joints.shape == (1, 3, 2)


def test_radii_of_an_int8_export_are_its_own(source: Path, data: ExportData, tmp_path: Path) -> None:
    report = export("int8", source, tmp_path / "int8", data, calibration_crops=8, **INT8)
    found = read_uncertainty(tmp_path / "int8", model_fingerprint(tmp_path / "int8"), read_description(source).skeleton.joints)
    assert found is not None
    assert (report.radii, found.persons, found.levels, found.max_radius_px) == (
        "calibrated again",
        40,
        (0.5,),
        pytest.approx(3.2),
    )
    shutil.copy(source / "uncertainty.json", tmp_path / "int8")
    with pytest.raises(DataError, match="expected the uncertainty of the model"):
        PoseEstimator.load(tmp_path / "int8")


def test_int8_export_without_calibration_persons_has_no_radii(source: Path, data: ExportData, tmp_path: Path) -> None:
    report = export("int8", source, tmp_path / "int8", ExportData(data.examples, "noise"), **INT8)
    assert (report.radii, report.accuracy) == ("left out", None)
    assert PoseEstimator.load(tmp_path / "int8").uncertainty is None


def test_loss_of_accuracy_is_refused(source: Path, data: ExportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = labelled(None, read_description(source).skeleton.joints)
    plain = OnnxModel.run
    monkeypatch.setattr(
        OnnxModel,
        "run",
        lambda self, crops, flip_test=False: CropJoints(
            np.full((len(crops), 3, 2), 31.0 if self.description.export["precision"] == "int8" else 0.0, np.float32),
            plain(self, crops, flip_test).scores,
        ),
    )
    monkeypatch.setattr(graph_export, "compare_with_torch", lambda *_: None)
    lossy = ExportData(data.examples, "noise", train=data.train, validation=wrong)
    with pytest.raises(DataError, match=r"PCK by -1\.0000"):
        export("int8", source, tmp_path / "int8", lossy, tolerance=5.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_openvino_runs_every_precision(source: Path, data: ExportData, tmp_path: Path, precision: str) -> None:
    pytest.importorskip("openvino", reason="the extra `formats` is not installed")
    options = INT8 if precision == "int8" else {"max_pck_loss": 1.0}
    report = export("openvino", source, tmp_path / "out", data, precision=precision, **options)
    estimator = PoseEstimator.load(tmp_path / "out")
    assert (estimator.backend.name, report.precision) == ("openvino", precision)
    assert estimator.uncertainty is not None
    assert (report.radii, report.accuracy is None) == (
        ("copied", True) if precision == "float32" else ("calibrated again", False)
    )
    same = model_fingerprint(tmp_path / "out") == model_fingerprint(source)
    assert same is (precision == "float32")


def test_differences_from_pytorch_are_refused(source: Path, data: ExportData, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="heatmaps"):
        export("int8", source, tmp_path / "int8", data, tolerance=1e-9)
    assert list(tmp_path.iterdir()) == []


def test_accuracy_of_a_model_beside_itself_is_equal(model_folders: Any, data: ExportData) -> None:
    model = OnnxModel(read_description(model_folders.onnx))
    assert data.validation is not None
    found = compare_accuracy(model, model, data.validation)
    assert (found.difference, found.low, found.high, found.a) == (0, 0, 0, 1)
    assert predict_persons(model, data.validation).joints.shape == (40, 3, 2)


@pytest.mark.parametrize("change", ["another CPU", "unknown CPU", "another backend", "not stated"])
def test_radii_of_other_arithmetic_are_left_out(
    source: Path, data: ExportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    export("int8", source, tmp_path / "int8", data, calibration_crops=8, **INT8)
    assert PoseEstimator.load(tmp_path / "int8").uncertainty is not None
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    backend = "auto"
    if change.endswith("CPU"):
        known = frozenset({"sse2"} if change == "another CPU" else ())
        monkeypatch.setattr(exported_model, "read_cpu_instructions", lambda: known)
    elif change == "another backend":
        pytest.importorskip("openvino", reason="the extra `formats` is not installed")
        backend = "openvino"
    else:
        path = tmp_path / "int8" / "uncertainty.json"
        content = read_json(path)
        del content["numerics"]
        write_json(path, content)
    estimator = PoseEstimator.load(tmp_path / "int8", backend=backend)
    assert estimator.uncertainty is None
    assert estimator.predict_one(CROPS[0]).persons[0].radii is None
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "radii are left out" in warning


def test_radii_of_float32_hold_for_every_backend(source: Path, data: ExportData, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra `formats` is not installed")
    export("onnx", source, tmp_path / "onnx", data)
    assert PoseEstimator.load(tmp_path / "onnx", backend="openvino").uncertainty is not None
    assert "numerics" not in read_json(tmp_path / "onnx" / "uncertainty.json")


def test_radii_are_left_out_by_a_backend_that_states_no_arithmetic(source: Path, data: ExportData, tmp_path: Path) -> None:
    export("int8", source, tmp_path / "int8", data, calibration_crops=8, **INT8)

    class Plugin:
        name = "plugin"

    description = read_description(tmp_path / "int8")
    assert estimator_module._read_radii_of(description, Plugin()) is None
    assert estimator_module._read_radii_of(read_description(source), Plugin()) is not None
