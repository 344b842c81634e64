"""Tests of posescope.training.trainer and checkpoint_state: learning, reproducibility, resumption."""

import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posescope.artifacts.crop_matching import CropMismatchError
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError, OptionsError
from posescope.data.crops.crop_set import CropSet
from posescope.training import trainer
from posescope.training.batches import shuffled_order
from posescope.training.checkpoint_store import CheckpointError, CheckpointStore
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions, supervise
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord, TrainingOutcome
from posescope.training.trainer import NonFiniteLossError, train
from posescope.training.validation import validate
from posescope.training.validation_grids import ImageGridFolder

AUGMENTED = [{"name": "flip"}, {"name": "rotate_scale", "options": {"rotation_deg": 10}}, {"name": "colour_jitter"}]


class KilledError(Exception):
    """Represents a killed process."""


def kill_after_first(record: EpochRecord) -> None:
    if record.epoch == 1:
        raise KilledError


def make_options(**changes: Any) -> TrainingOptions:
    defaults = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "device": "cpu", "seed": 5}
    return TrainingOptions.model_validate({**defaults, **changes})


def weights(outcome: TrainingOutcome) -> dict[str, torch.Tensor]:
    return outcome.model.network.state_dict()


def assert_same(first: TrainingOutcome, second: TrainingOutcome) -> None:
    assert [replace(record, seconds=0) for record in first.history] == [replace(record, seconds=0) for record in second.history]
    assert first.model.provenance == second.model.provenance
    different = [name for name, value in weights(first).items() if not torch.equal(value, weights(second)[name])]
    assert different == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimiser": {"name": "adamw"}, "augmentations": AUGMENTED, "ema_decay": 0.9, "schedule": {"name": "one_cycle"}},
        {"optimiser": {"name": "rmsprop", "options": {"momentum": 0.5}}, "grad_clip": 0.5},
        {"optimiser": {"name": "rmsprop", "options": {"form": "textbook", "momentum": 0.5}}, "channels_last": True},
    ],
)
def test_killed_run_resumes_to_identical_weights(
    changes: dict[str, Any], untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    options = make_options(**changes)
    complete = train(untrained, train_set, val_set, options, CheckpointStore(tmp_path / "complete"), "f")
    store = CheckpointStore(tmp_path / "killed")
    with pytest.raises(KilledError):
        train(untrained, train_set, val_set, options, store, "f", on_epoch=kill_after_first)
    torch.manual_seed(99)  # a new process has another global state
    epochs: list[int] = []
    resumed = train(untrained, train_set, val_set, options, store, "f", on_epoch=lambda record: epochs.append(record.epoch))
    assert epochs == [2, 3]
    assert_same(complete, resumed)


class Notes:
    """An observer that notes its calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def update(self, fingerprint: str, history: tuple[EpochRecord, ...], image_grids: Path | None) -> None:
        self.calls.append((fingerprint, [record.epoch for record in history], image_grids))

    def close(self, error: BaseException | None = None) -> None:
        self.calls.append(("close", type(error)))


def test_observer_is_called_at_the_start_after_each_epoch_and_at_the_end(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    store, killed, resumed = CheckpointStore(tmp_path / "store"), Notes(), Notes()
    options, grids = make_options(epochs=2), ImageGridFolder(tmp_path / "grids")
    with pytest.raises(KilledError):
        train(untrained, train_set, val_set, options, store, "f", kill_after_first, observer=killed, image_grids=grids)
    assert killed.calls == [*(("f", epochs, grids.root / "f") for epochs in ([], [1])), ("close", KilledError)]
    train(untrained, train_set, val_set, options, store, "f", observer=resumed)
    assert resumed.calls == [*(("f", epochs, None) for epochs in ([1], [1, 2])), ("close", type(None))]


class FailingObserver(Notes):
    """An observer whose calls raise."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def update(self, fingerprint: str, history: tuple[EpochRecord, ...], image_grids: Path | None) -> None:
        super().update(fingerprint, history, image_grids)
        raise self.error

    def close(self, error: BaseException | None = None) -> None:
        super().close(error)
        raise self.error


def test_error_of_an_observer_is_one_warning(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    observer = FailingObserver(TypeError("not a mapping"))
    outcome = train(untrained, train_set, val_set, make_options(epochs=1), CheckpointStore(tmp_path), "f", observer=observer)
    assert len(outcome.history) == 1
    assert len(observer.calls) == 3
    assert [record.name for record in caplog.records if "not a mapping" in record.getMessage()] == [
        "posescope.training.epoch_loop"
    ]


def test_interruption_in_an_observer_passes(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    observer = FailingObserver(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train(untrained, train_set, val_set, make_options(epochs=1), CheckpointStore(tmp_path), "f", observer=observer)
    assert len(observer.calls) == 1


def test_inputs_and_global_state_are_not_changed(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in untrained.network.state_dict().items()}
    state = torch.get_rng_state()
    outcome = train(untrained, train_set, val_set, make_options(epochs=1), CheckpointStore(tmp_path), "f")
    assert all(torch.equal(value, before[name]) for name, value in untrained.network.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in weights(outcome).items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()


def test_dots_are_learnt_and_the_best_epoch_is_the_result(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = make_options(epochs=12, schedule={"name": "one_cycle"}, learning_rate=4e-3)
    with caplog.at_level(logging.INFO):
        outcome = train(untrained, train_set, val_set, options, CheckpointStore(tmp_path), "f")
    pcks = [record.val_pck_thesis for record in outcome.history]
    assert [record.epoch for record in outcome.history] == list(range(1, 13))
    assert outcome.history[-1].train_loss < 0.3 * outcome.history[0].train_loss
    assert max(pcks) > 0.7
    assert outcome.model.provenance["val_pck_thesis"] == max(pcks)
    # The returned weights are those of that epoch: a second validation gives the same values.
    again = validate(outcome.model, val_set, MeanSquaredError(MeanSquaredErrorOptions()), options.batch_size)
    assert again.pck_thesis == max(pcks)
    assert again.loss == pytest.approx(outcome.model.provenance["val_loss"], rel=1e-6)
    assert caplog.text.count("persons/s") == 12


def test_provenance_describes_the_training(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    outcome = train(untrained, train_set, val_set, make_options(epochs=2), CheckpointStore(tmp_path), "f00d")
    provenance = outcome.model.provenance
    assert provenance["init_seed"] == 7
    assert (provenance["epochs"], provenance["train_persons"], provenance["val_persons"]) == (2, 43, 13)
    assert provenance["best_epoch"] in (1, 2)
    assert (provenance["fingerprint"], provenance["torch"]) == ("f00d", torch.__version__)
    assert TrainingOptions.model_validate(provenance["training"]) == make_options(epochs=2)
    assert not outcome.model.network.training


def test_finished_run_is_trained_again(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    store, options = CheckpointStore(tmp_path), make_options(epochs=1)
    first = train(untrained, train_set, val_set, options, store, "f")
    store.finish("f")
    epochs: list[int] = []
    second = train(untrained, train_set, val_set, options, store, "f", on_epoch=lambda record: epochs.append(record.epoch))
    assert epochs == [1]
    assert_same(first, second)


def test_result_of_an_unsaved_run_is_read_from_its_checkpoints(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, options = CheckpointStore(tmp_path), make_options(epochs=2, ema_decay=0.9)
    first = train(untrained, train_set, val_set, options, store, "f")
    # The process dies here, before the model is saved and `finish` is called.
    epochs: list[int] = []
    with caplog.at_level(logging.WARNING):
        second = train(untrained, train_set, val_set, options, store, "f", on_epoch=lambda record: epochs.append(record.epoch))
    assert epochs == []
    assert "not saved" in caplog.text
    assert_same(first, second)
    assert first.history == second.history


@pytest.mark.parametrize(("joints", "warned"), [(("nose", "LHand", "RHand"), True), (("nose", "left_hand", "right_hand"), False)])
def test_flip_without_joint_pairs_is_warned_of(
    joints: tuple[str, ...], warned: bool, untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    model = replace(untrained, skeleton=replace(untrained.skeleton, joints=joints))
    train_set, val_set = (replace(crops, targets=replace(crops.targets, joint_names=joints)) for crops in (train_set, val_set))
    options = make_options(epochs=1, augmentations=[{"name": "flip"}])
    with caplog.at_level(logging.WARNING):
        train(model, train_set, val_set, options, CheckpointStore(tmp_path), "f")
    assert ("no joint of the skeleton has a partner" in caplog.text) == warned
    assert ("Joints: nose, LHand, RHand." in caplog.text) == warned


def test_seed_changes_the_result(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    first, second = (
        train(untrained, train_set, val_set, make_options(epochs=1, seed=seed), CheckpointStore(tmp_path), f"f{seed}")
        for seed in (1, 2)
    )
    assert first.history[0].train_loss != second.history[0].train_loss


def test_non_finite_loss_names_the_persons(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    with torch.no_grad():
        untrained.network.stem.conv.bias.fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match=r"nan in epoch 1, step 0\b.*\b10\d\d"):
        train(untrained, train_set, val_set, make_options(), CheckpointStore(tmp_path), "f")
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("grad_clip", [None, 1.0])
def test_non_finite_gradient_names_the_persons_and_saves_no_checkpoint(
    grad_clip: float | None, untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store, options = CheckpointStore(tmp_path), make_options(grad_clip=grad_clip)
    complete, steps = train(untrained, train_set, val_set, options, CheckpointStore(tmp_path / "complete"), "f"), 0

    def steep(*arguments: Any) -> torch.Tensor:
        """In the third step of the second epoch (six steps each) a finite loss with an infinite gradient, that of sqrt(0)."""
        nonlocal steps
        steps += 1
        loss = supervise(*arguments)
        return loss + torch.sqrt(loss - loss.detach()) if steps == 9 else loss

    with monkeypatch.context() as patch:
        patch.setattr("posescope.training.gradients.supervise", steep)
        with pytest.raises(NonFiniteLossError) as caught:
            train(untrained, train_set, val_set, options, store, "f")
    order = np.array_split(shuffled_order(len(train_set), options.seed, 2), 6)[2]
    persons = ", ".join(str(person) for person in train_set.targets.person_ids[order])
    assert re.search(r"(nan|inf) in epoch 2, step 8\b", str(caught.value))
    assert persons in str(caught.value)
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["epoch_0001"]
    assert_same(complete, train(untrained, train_set, val_set, options, store, "f"))


def test_final_weights_of_the_last_epoch(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    last = make_options(epochs=5, learning_rate=0.02, final_weights="last")
    store = CheckpointStore(tmp_path)
    outcome = train(untrained, train_set, val_set, last, store, "last")
    best = train(untrained, train_set, val_set, make_options(epochs=5, learning_rate=0.02), store, "best")
    assert outcome.model.provenance["epoch"] == 5
    assert outcome.model.provenance["val_pck_thesis"] == outcome.history[-1].val_pck_thesis
    assert best.model.provenance["epoch"] == best.model.provenance["best_epoch"] == outcome.model.provenance["best_epoch"]
    state = store.read("last", 5).part("network")
    assert all(torch.equal(value, state[name]) for name, value in weights(outcome).items())


def test_resuming_a_run_of_other_options_is_refused(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    store, options = CheckpointStore(tmp_path), make_options(epochs=2)
    with pytest.raises(KilledError):
        train(untrained, train_set, val_set, options, store, "aa", on_epoch=kill_after_first, run_identity={"epochs": 2})
    longer = make_options(epochs=3, resume="aa")
    with pytest.raises(CheckpointError, match=r"aa: .*epochs: \w+ 2, \w+ 3"):
        train(untrained, train_set, val_set, longer, store, "bb", run_identity={"epochs": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["aa"]
    outcome = train(untrained, train_set, val_set, make_options(epochs=2, resume="aa"), store, "aa", run_identity={"epochs": 2})
    assert len(outcome.history) == 2


def test_sets_that_do_not_match_the_model_are_refused(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    empty = train_set.subset(np.array([], dtype=np.int64))
    with pytest.raises(DataError, match="training"):
        train(untrained, empty, val_set, make_options(), CheckpointStore(tmp_path), "f")
    larger = replace(val_set, shards=[np.zeros((9, 96, 96, 3), dtype=np.uint8)] * 2)
    with pytest.raises(CropMismatchError):
        train(untrained, train_set, larger, make_options(), CheckpointStore(tmp_path), "f")
    unlabelled = replace(val_set, targets=replace(val_set.targets, visibility=np.zeros_like(val_set.targets.visibility)))
    with pytest.raises(DataError, match="labelled"):
        train(untrained, train_set, unlabelled, make_options(), CheckpointStore(tmp_path), "f")


def test_mixed_precision_is_refused_on_a_cpu_without_native_bf16(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "has_native_bf16", lambda _device: False)
    with pytest.raises(OptionsError, match="amp"):
        train(untrained, train_set, val_set, make_options(amp="bf16"), CheckpointStore(tmp_path), "f")
    assert list(tmp_path.iterdir()) == []


def test_killed_run_in_mixed_precision_resumes_on_a_cpu(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "has_native_bf16", lambda _device: True)  # the emulation of other CPUs gives the same
    complete = train(untrained, train_set, val_set, make_options(amp="bf16"), CheckpointStore(tmp_path / "complete"), "f")
    store = CheckpointStore(tmp_path / "killed")
    with pytest.raises(KilledError):
        train(untrained, train_set, val_set, make_options(amp="bf16"), store, "f", on_epoch=kill_after_first)
    assert_same(complete, train(untrained, train_set, val_set, make_options(amp="bf16"), store, "f"))
    plain = train(untrained, train_set, val_set, make_options(), CheckpointStore(tmp_path / "plain"), "f")
    assert complete.model.provenance["device"]["bf16"]
    first, second = complete.history[-1].train_loss, plain.history[-1].train_loss
    assert first != second
    assert first == pytest.approx(second, rel=0.1)


def test_rate_rises_linearly_in_the_warm_up(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    """Six steps per epoch: half the rate at the end of the first epoch, the full rate in the last step of the second."""
    options = make_options(epochs=2, warmup_steps=11, schedule={"name": "constant"})
    outcome = train(untrained, train_set, val_set, options, CheckpointStore(tmp_path), "f")
    assert [record.learning_rate for record in outcome.history] == pytest.approx([6 / 12 * 1e-3, 1e-3])


def test_channels_first_equals_channels_last_up_to_rounding(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    outcomes = [
        train(untrained, train_set, val_set, options, CheckpointStore(tmp_path / str(options.channels_last)), "f")
        for options in (make_options(epochs=1), make_options(epochs=1, channels_last=False))
    ]
    first, last = (outcome.history[0].train_loss for outcome in outcomes)
    assert first == pytest.approx(last, rel=0.05)
    assert first != last


def test_auto_acceleration_changes_nothing_on_a_cpu(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    left_open = {"amp": "auto", "compile": "auto", "cuda_graph": True}
    plain, left = (
        train(untrained, train_set, val_set, make_options(**options), CheckpointStore(tmp_path / str(number)), "f")
        for number, options in enumerate(({}, left_open))
    )
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(left).items())
    assert left.model.provenance["device"] == {"name": "cpu", "bf16": False, "compiled": False, "cuda_graph": False}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch compiles for the CPU with g++, which is not here")
def test_compiled_steps_equal_eager_steps_up_to_rounding(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    outcomes = [
        train(untrained, train_set, val_set, options, CheckpointStore(tmp_path / str(options.compile)), "f")
        for options in (make_options(epochs=1, compile=True), make_options(epochs=1))
    ]
    compiled, eager = (outcome.history[0].train_loss for outcome in outcomes)
    assert compiled == pytest.approx(eager, rel=0.05)
    assert list(outcomes[0].model.network.state_dict()) == list(outcomes[1].model.network.state_dict())
