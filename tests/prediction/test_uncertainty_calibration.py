"""Tests of posescope.prediction.uncertainty_calibration, and of the radii that a calibrated model gives with each pose."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from posescope.artifacts.description import ModelFolderError
from posescope.artifacts.model_folder import fingerprint_of_model, save_model
from posescope.artifacts.onnx_export import export_onnx
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import UNCERTAINTY, Uncertainty, write_uncertainty
from posescope.cli import cli
from posescope.core.errors import DataError
from posescope.core.records import PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.conformal import UncertaintyOptions, conformal_radius
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.options import PredictionOptions
from posescope.prediction.uncertainty_calibration import calibrate_uncertainty, photographs_of

PREDICTION = PredictionOptions(device="cpu")
IMAGE = np.random.default_rng(1).integers(0, 256, (96, 64, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(untrained_model: PoseModel) -> PoseModel:
    return replace(untrained_model, provenance={"data_fingerprint": "data"})


@pytest.fixture(scope="module")
def crops() -> CropSet:
    """Return 60 persons with three joints; the last joint is labelled for seven of them."""
    rng = np.random.default_rng(2)
    joints = rng.uniform(0, 32, (60, 3, 2)).astype(np.float32)
    visibility = np.full((60, 3), 2, dtype=np.uint8)
    joints[7:, 2], visibility[7:, 2] = np.nan, 0
    targets = PoseTargets(np.arange(60), joints, visibility, joint_names=("nose", "left_hand", "right_hand"))
    images = rng.integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
    return CropSet(targets, [images], np.column_stack([np.zeros(60, np.int64), np.arange(60)]))


@pytest.fixture(scope="module")
def uncertainty(model: PoseModel, crops: CropSet) -> Uncertainty:
    return calibrate_uncertainty(model, crops, np.arange(60), "data", UncertaintyOptions(), PREDICTION)


@pytest.fixture(scope="module")
def folders(model: PoseModel, uncertainty: Uncertainty, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a calibrated model folder and its export."""
    root = tmp_path_factory.mktemp("calibrated")
    save_model(root / "torch", model)
    write_uncertainty(root / "torch", uncertainty)
    export_onnx(root / "torch", root / "onnx", np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8))
    return SimpleNamespace(torch=root / "torch", onnx=root / "onnx")


def test_radii_are_quantiles_of_the_errors_with_and_without_flip_test(
    model: PoseModel, crops: CropSet, uncertainty: Uncertainty
) -> None:
    assert (uncertainty.model, uncertainty.persons, uncertainty.photographs) == (fingerprint_of_model(model), 60, 60)
    assert uncertainty.max_radius_px == pytest.approx(3.2)
    for flip_test in (False, True):
        found = predict_crops(model, crops, PREDICTION.model_copy(update={"flip_test": flip_test})).predictions
        errors = np.linalg.norm(found.joints - crops.targets.joints, axis=2)
        radii, scores = uncertainty.radii(found.scores, flip_test), found.scores[:, 0]
        (edge,) = (uncertainty.flip_test if flip_test else uncertainty.plain)[0].score_edges  # 60 labels: two ranges of scores
        low = scores < edge
        assert radii[low, 0] == pytest.approx(conformal_radius(errors[low, 0], np.flatnonzero(low), 0.9), rel=1e-5)
        assert np.isnan(radii[:, 2]).all()
    assert uncertainty.reasons() == {"right_hand": "labelled in 7 calibration photographs, at least 9 are needed"}


def test_joints_are_in_the_order_of_the_model(model: PoseModel, crops: CropSet, uncertainty: Uncertainty) -> None:
    reordered = crops.with_joint_order(("right_hand", "nose", "left_hand"))
    assert calibrate_uncertainty(model, reordered, np.arange(60), "data", UncertaintyOptions(), PREDICTION) == uncertainty


def test_no_calibration_person_gives_reasons(model: PoseModel, crops: CropSet, caplog: pytest.LogCaptureFixture) -> None:
    empty = crops.subset(np.empty(0, np.int64))
    found = calibrate_uncertainty(model, empty, np.empty(0, np.int64), "data", UncertaintyOptions(), PREDICTION)
    assert len(found.reasons()) == 3
    assert np.isnan(found.radii(np.ones((2, 3)))).all()
    assert "max_calibration_fraction" in caplog.text


def test_a_model_of_other_data_is_refused(model: PoseModel, crops: CropSet) -> None:
    with pytest.raises(DataError, match="trained on other data"):
        calibrate_uncertainty(model, crops, np.arange(60), "changed", UncertaintyOptions(), PREDICTION)


def test_records_of_one_file_are_one_photograph() -> None:
    persons = pd.DataFrame(
        {
            "person_id": [3, 1, 2, 4],
            "source_split": ["train"] * 3 + ["other"],
            "image_id": [5, 6, 7, 5],
            "file_name": ["a.jpg", "a.jpg", "b.jpg", "a.jpg"],
        }
    )
    numbers = photographs_of(persons, np.array([1, 2, 3, 4]))
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3
    assert photographs_of(persons, np.array([2])).tolist() == [0]


@pytest.mark.parametrize("backend", ["torch", "onnx"])
@pytest.mark.parametrize("flip_test", [False, True])
def test_poses_have_radii_in_image_px(folders: Any, uncertainty: Uncertainty, backend: str, flip_test: bool) -> None:
    estimator = PoseEstimator.load(getattr(folders, backend), device="cpu")
    assert estimator.uncertainty == uncertainty
    poses = estimator.predict_one(IMAGE, [[10, 10, 30, 40], [5, 40, 20, 20]], flip_test=flip_test)
    crop_px = uncertainty.radii(poses.scores, flip_test)
    # The square has the longer side and a margin of 10 %; its whole px become 32 px.
    sides = np.array([44.0, 22.0])
    np.testing.assert_allclose(poses.radii[:, :2], crop_px[:, :2] * (sides / 32)[:, None], rtol=0.05)
    assert np.isnan(poses.radii[:, 2]).all()
    np.testing.assert_array_equal(poses.do_not_trust, crop_px > 3.2)
    record, table = poses.to_coco()[1], poses.to_dataframe()
    assert record["radii"] == [*np.round(poses.radii[1, :2], 3).tolist(), None]
    assert record["do_not_trust"] == poses.do_not_trust[1].tolist()
    np.testing.assert_array_equal(table["radius"], poses.radii.ravel())
    assert table["do_not_trust"].tolist() == poses.do_not_trust.ravel().tolist()


def test_a_model_without_calibration_gives_no_radius(model_folders: Any) -> None:
    poses = PoseEstimator.load(model_folders.torch, device="cpu").predict_one(IMAGE)
    assert np.isnan(poses.radii).all()
    assert not poses.do_not_trust.any()
    assert poses.persons[0].radii is None
    assert "radii" not in poses.to_coco()[0]


def test_uncertainty_of_another_model_is_refused(folders: Any, tmp_path: Path, model: PoseModel) -> None:
    save_model(tmp_path / "model", replace(model, mean_rgb=(0.1, 0.2, 0.3)))
    shutil.copy(folders.torch / UNCERTAINTY, tmp_path / "model")
    with pytest.raises(ModelFolderError, match="expected the uncertainty of the model"):
        PoseEstimator.load(tmp_path / "model", device="cpu")
    with pytest.raises(ModelFolderError, match="expected the uncertainty of the model"):
        export_onnx(tmp_path / "model", tmp_path / "onnx", IMAGE[None, :32, :32])


def test_info_states_the_calibration(folders: Any) -> None:
    facts = json.loads(CliRunner().invoke(cli, ["info", str(folders.onnx), "--json"]).output)
    assert {name: facts[name] for name in ("joints_with_radius", "radius_level", "calibration_persons")} == {
        "joints_with_radius": 2,
        "radius_level": 0.9,
        "calibration_persons": 60,
    }
