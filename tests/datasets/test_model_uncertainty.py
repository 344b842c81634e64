"""Tests of posescope.datasets.model_uncertainty."""

from dataclasses import replace
from pathlib import Path

import pytest
from kedro.io import DatasetError, Version

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import JointCalibration, Uncertainty
from posescope.core.errors import DataError
from posescope.datasets import ModelDataset, UncertaintyDataset

OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"
LATER = "2026-03-01T00.00.00.000Z"


def uncertainty_of(model: PoseModel, persons: int = 40) -> Uncertainty:
    joints = tuple(
        JointCalibration(joint=name, labels=persons, photographs=persons, score_edges=(), radii=((3.0,),))
        for name in model.skeleton.joints
    )
    return Uncertainty(
        model=fingerprint_of_model(model), data="d", persons=persons, photographs=persons, level=0.9, levels=(0.9,),
        max_radius_px=3.2, plain=joints, flip_test=joints,
    )  # fmt: skip


def other(model: PoseModel) -> PoseModel:
    return replace(model, mean_rgb=(0.1, 0.2, 0.3))


def models(path: Path, version: str) -> ModelDataset:
    return ModelDataset(filepath=str(path), version=Version(version, version))


def uncertainties(path: Path, load: str | None = None, save: str | None = None) -> UncertaintyDataset:
    return UncertaintyDataset(filepath=str(path / "uncertainty.json"), version=Version(load, save))


def test_round_trip_without_versions(tmp_path: Path, pose_model: PoseModel) -> None:
    ModelDataset(filepath=str(tmp_path / "model")).save(pose_model)
    dataset = UncertaintyDataset(filepath=str(tmp_path / "model" / "uncertainty.json"))
    assert not dataset.exists()
    assert dataset.preview() is None
    with pytest.raises(DatasetError, match="no uncertainty"):
        dataset.load()
    dataset.save(uncertainty_of(pose_model))
    assert dataset.exists()
    assert dataset.load() == uncertainty_of(pose_model)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors", "uncertainty.json"]
    assert "plain" in str(dataset.preview())


def test_the_file_is_written_beside_the_model_of_the_run(tmp_path: Path, pose_model: PoseModel) -> None:
    models(tmp_path, OLD).save(other(pose_model))
    models(tmp_path, NEW).save(pose_model)
    dataset = uncertainties(tmp_path, save=NEW)
    dataset.save(uncertainty_of(pose_model))
    assert dataset.saved_path() == tmp_path / NEW / tmp_path.name / "uncertainty.json"
    assert uncertainties(tmp_path).load() == uncertainty_of(pose_model)
    assert not uncertainties(tmp_path, load=OLD).exists()


def test_a_run_without_training_calibrates_the_newest_model_again(tmp_path: Path, pose_model: PoseModel) -> None:
    models(tmp_path, OLD).save(pose_model)
    uncertainties(tmp_path, save=OLD).save(uncertainty_of(pose_model))
    uncertainties(tmp_path, save=LATER).save(uncertainty_of(pose_model, persons=41))
    assert uncertainties(tmp_path).load().persons == 41
    assert [path.name for path in tmp_path.iterdir()] == [OLD]


def test_the_newest_model_may_have_no_uncertainty(tmp_path: Path, pose_model: PoseModel) -> None:
    models(tmp_path, OLD).save(pose_model)
    uncertainties(tmp_path, save=OLD).save(uncertainty_of(pose_model))
    models(tmp_path, NEW).save(other(pose_model))
    assert not uncertainties(tmp_path).exists()
    assert uncertainties(tmp_path, load=OLD).exists()


def test_uncertainty_of_another_model_is_refused(tmp_path: Path, pose_model: PoseModel) -> None:
    models(tmp_path, NEW).save(pose_model)
    with pytest.raises(DatasetError, match="which was calibrated"):
        uncertainties(tmp_path, save=NEW).save(uncertainty_of(other(pose_model)))
    uncertainties(tmp_path, save=NEW).save(uncertainty_of(pose_model))
    models(tmp_path, LATER).save(other(pose_model))
    file, copy = (tmp_path / version / tmp_path.name / "uncertainty.json" for version in (NEW, LATER))
    copy.write_bytes(file.read_bytes())
    with pytest.raises(DatasetError, match="expected the uncertainty of the model") as error:
        uncertainties(tmp_path).load()
    assert isinstance(error.value.__cause__, DataError)


def test_another_file_name_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"uncertainty\.json"):
        UncertaintyDataset(filepath="model/other.json")
