"""Tests of early stopping (`TrainingOptions.patience`)."""

from pathlib import Path
from typing import Any

import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.training import epoch_loop
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord, TrainingOutcome
from posescope.training.trainer import train
from posescope.training.validation import Validation

PCKS = [0.2, 0.5, 0.5, 0.4, 0.9, 0.9]  # with patience 2 epoch 4 is the last one, and epoch 2 the best
STEPS = TrainingOptions(epochs=len(PCKS), batch_size=16, learning_rate=1e-3, device="cpu", patience=2)


class StoppedError(Exception):
    """Raised in place of a kill."""


@pytest.fixture(autouse=True)
def known_pcks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace the PCK of each validation by a known one; return the list of validated epochs."""
    validated: list[int] = []
    steps_of_an_epoch: dict[int, int] = {}

    def validate(model: PoseModel, *arguments: Any) -> Validation:
        epoch = steps_of_an_epoch.setdefault(int(state_count(model)), len(steps_of_an_epoch) + 1)
        validated.append(epoch)
        return Validation(loss=1.0, pck_thesis=PCKS[epoch - 1])

    monkeypatch.setattr(epoch_loop, "validate", validate)
    return validated


def state_count(model: PoseModel) -> float:
    """Return the batches that the network has seen."""
    return float(model.network.state_dict()["stem.norm.num_batches_tracked"])


def run(model: PoseModel, sets: tuple[CropSet, CropSet], folder: Path, on_epoch: Any = None, **changed: Any) -> TrainingOutcome:
    return train(model, *sets, STEPS.model_copy(update=changed), CheckpointStore(folder), "f00d", on_epoch)


def test_training_stops_and_keeps_the_best_epoch(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    outcome = run(untrained, (train_set, val_set), tmp_path)
    assert [record.val_pck_thesis for record in outcome.history] == PCKS[:4]
    assert (outcome.model.provenance["epochs"], outcome.model.provenance["epoch"]) == (4, 2)
    assert outcome.model.provenance["training"]["patience"] == 2
    whole = run(untrained, (train_set, val_set), tmp_path / "whole", patience=None)
    assert len(whole.history) == len(PCKS)


def test_a_stopped_run_that_was_not_saved_is_not_trained_again(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, known_pcks: list[int]
) -> None:
    first = run(untrained, (train_set, val_set), tmp_path)
    assert known_pcks == [1, 2, 3, 4]
    again = run(untrained, (train_set, val_set), tmp_path)
    assert known_pcks == [1, 2, 3, 4]
    assert again.history == first.history
    pairs = zip(first.model.network.state_dict().values(), again.model.network.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("killed_after", [1, 3, 4])
def test_a_killed_run_stops_at_the_same_epoch(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, known_pcks: list[int], killed_after: int
) -> None:
    def stop(record: EpochRecord) -> None:
        if record.epoch == killed_after:
            raise StoppedError

    with pytest.raises(StoppedError):
        run(untrained, (train_set, val_set), tmp_path, stop)
    resumed = run(untrained, (train_set, val_set), tmp_path)
    assert known_pcks == [1, 2, 3, 4]
    assert [record.epoch for record in resumed.history] == [1, 2, 3, 4]
    assert resumed.model.provenance["epoch"] == 2


def test_without_patience_the_options_are_dumped_as_before() -> None:
    plain = TrainingOptions()
    assert "patience" not in plain.model_dump(mode="json")
    assert "patience" not in plain.identity()
    assert STEPS.identity()["patience"] == 2
    assert TrainingOptions.model_validate(plain.model_dump(mode="json")) == plain
