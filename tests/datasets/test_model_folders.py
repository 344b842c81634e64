"""Tests of posescope.datasets.model_folders."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from kedro.io import DatasetError, Version

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.datasets import ModelDataset

OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "model"


def versioned(path: Path, load: str | None = None, save: str | None = None) -> ModelDataset:
    return ModelDataset(filepath=str(path), version=Version(load, save))


def save_two(path: Path, model: PoseModel) -> None:
    """Save two versions; the older one is written last, so that the modification time is not decisive."""
    versioned(path, NEW, NEW).save(replace(model, provenance={"run": "new"}))
    versioned(path, OLD, OLD).save(replace(model, provenance={"run": "old"}))


def test_round_trip_without_versions(path: Path, pose_model: PoseModel) -> None:
    dataset = ModelDataset(filepath=str(path))
    assert not dataset.exists()
    dataset.save(pose_model)
    assert dataset.exists()
    assert sorted(item.name for item in path.iterdir()) == ["model.json", "model.safetensors"]
    read = dataset.load()
    assert read.provenance == pose_model.provenance
    weights = pose_model.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in read.network.state_dict().items())


def test_each_version_has_its_own_folder_and_the_newest_is_loaded(path: Path, pose_model: PoseModel) -> None:
    save_two(path, pose_model)
    assert sorted(item.name for item in path.iterdir()) == [OLD, NEW]
    assert versioned(path).load().provenance == {"run": "new"}
    assert versioned(path).resolve_load_version() == NEW
    assert versioned(path).list_versions(full_path=False) == [NEW, OLD]


def test_version_can_be_selected(path: Path, pose_model: PoseModel) -> None:
    save_two(path, pose_model)
    assert versioned(path, load=OLD).load().provenance == {"run": "old"}
    assert versioned(path, load=OLD).exists()


def test_missing_version_does_not_exist(path: Path, pose_model: PoseModel) -> None:
    save_two(path, pose_model)
    absent = versioned(path, load="2026-03-01T00.00.00.000Z")
    assert not absent.exists()
    with pytest.raises(DatasetError, match=r"model\.json"):
        absent.load()


def test_dataset_without_versions_does_not_exist(path: Path) -> None:
    assert not versioned(path).exists()


def test_damaged_version_is_skipped(path: Path, pose_model: PoseModel) -> None:
    save_two(path, pose_model)
    (path / NEW / "model" / "model.json").unlink()
    assert versioned(path).load().provenance == {"run": "old"}


def test_version_is_never_overwritten(path: Path, pose_model: PoseModel) -> None:
    save_two(path, pose_model)
    with pytest.raises(DatasetError, match="must not exist"):
        versioned(path, OLD, OLD).save(pose_model)
    assert versioned(path, load=OLD).load().provenance == {"run": "old"}


def test_newest_selects_the_newest_version(path: Path, pose_model: PoseModel) -> None:
    newest = ModelDataset(filepath=str(path), newest=True)
    assert not newest.exists()
    save_two(path, pose_model)
    assert newest.exists()
    assert newest.load().path == path / NEW / "model"


def test_newest_accepts_a_model_folder(path: Path, pose_model: PoseModel) -> None:
    save_model(path, pose_model)
    newest = ModelDataset(filepath=str(path), newest=True)
    assert newest.exists()
    assert newest.load().path == path


def test_newest_accepts_the_path_of_a_version(path: Path, pose_model: PoseModel) -> None:
    save_two(path, pose_model)
    assert ModelDataset(filepath=str(path / OLD / "model"), newest=True).load().path == path / OLD / "model"


def test_newest_is_read_only(path: Path, pose_model: PoseModel) -> None:
    with pytest.raises(DatasetError, match="read-only"):
        ModelDataset(filepath=str(path), newest=True).save(pose_model)
    assert not path.exists()


def test_missing_model_is_named(path: Path) -> None:
    with pytest.raises(DatasetError, match=r"model\.json"):
        ModelDataset(filepath=str(path)).load()


def test_another_type_is_refused(path: Path) -> None:
    with pytest.raises(DatasetError):
        ModelDataset(filepath=str(path)).save({"weights": 1})  # type: ignore[arg-type]
    assert not path.exists()


def test_failed_save_keeps_the_old_model(path: Path, pose_model: PoseModel) -> None:
    dataset = ModelDataset(filepath=str(path))
    dataset.save(pose_model)
    with pytest.raises(DatasetError, match="JSON"):
        dataset.save(replace(pose_model, provenance={"loss": float("nan")}))
    assert dataset.load().provenance == pose_model.provenance
    assert [item.name for item in path.parent.iterdir()] == ["model"]
