"""Tests of posescope.training.trainer.fine_tune."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord
from posescope.training.trainer import fine_tune

TINY_STEPS = TrainingOptions(epochs=1, batch_size=16, learning_rate=1e-9, device="cpu")
STEPS = TINY_STEPS.model_copy(update={"epochs": 2, "learning_rate": 1e-3})


@pytest.fixture
def start(untrained: PoseModel) -> PoseModel:
    return replace(untrained, provenance={"epochs": 17, "test_set_fingerprint": "f00d"})


def parameters_of(model: PoseModel) -> torch.Tensor:
    return torch.cat([value.detach().flatten().cpu() for value in model.network.parameters()])


def test_fine_tuning_starts_from_the_given_weights(
    start: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    before = parameters_of(start)
    outcome = fine_tune(start, train_set, val_set, TINY_STEPS, CheckpointStore(tmp_path), {"test_set_fingerprint": "f00d"})
    torch.testing.assert_close(parameters_of(outcome.model), before, atol=1e-6, rtol=0)
    torch.testing.assert_close(parameters_of(start), before, atol=0, rtol=0)
    provenance = outcome.model.provenance
    assert (provenance["epochs"], provenance["start"], provenance["test_set_fingerprint"]) == (1, start.provenance, "f00d")


def test_other_initial_weights_are_another_run(start: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    first = fine_tune(start, train_set, val_set, TINY_STEPS, store, {})
    with torch.no_grad():
        next(start.network.parameters()).add_(0.01)
    second = fine_tune(start, train_set, val_set, TINY_STEPS, store, {})
    assert first.model.provenance["fingerprint"] != second.model.provenance["fingerprint"]
    assert {path.name for path in tmp_path.iterdir()} == {
        first.model.provenance["fingerprint"], second.model.provenance["fingerprint"]
    }  # fmt: skip


def test_interrupted_fine_tuning_resumes_to_the_same_weights(
    start: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = fine_tune(start, train_set, val_set, STEPS, CheckpointStore(tmp_path / "complete"), {})

    class Killed(BaseException):
        pass

    save = CheckpointStore.save

    def die_after_saving(store: CheckpointStore, state: object, keep: int) -> None:
        save(store, state, keep)  # type: ignore[arg-type]
        raise Killed

    monkeypatch.setattr(CheckpointStore, "save", die_after_saving)
    with pytest.raises(Killed):
        fine_tune(start, train_set, val_set, STEPS, CheckpointStore(tmp_path / "killed"), {})
    monkeypatch.setattr(CheckpointStore, "save", save)
    resumed = fine_tune(start, train_set, val_set, STEPS, CheckpointStore(tmp_path / "killed"), {})
    torch.testing.assert_close(parameters_of(resumed.model), parameters_of(complete.model), atol=0, rtol=0)
    assert [losses(record) for record in resumed.history] == [losses(record) for record in complete.history]


def losses(record: EpochRecord) -> tuple[float, float]:
    return record.train_loss, record.val_loss
