"""Tests of posescope.training.automatic_options: batch size by memory, mixed precision by speed, resumption."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.files import fingerprint
from posescope.data.crops.crop_set import CropSet
from posescope.training import automatic_options, step_probe
from posescope.training.automatic_options import largest_power_of_two, resolve_automatic
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord
from posescope.training.step_probe import StepProbe
from posescope.training.trainer import fine_tune, train

MANY = 10_000  # persons


class KilledError(Exception):
    """Represents a killed process."""


def make_options(**changes: Any) -> TrainingOptions:
    defaults = {"epochs": 2, "batch_size": "auto", "learning_rate": 1e-3, "device": "cpu"}
    return TrainingOptions.model_validate({**defaults, **changes})


def identify(options: TrainingOptions) -> dict[str, Any]:
    return {"modelling": {"model": "m", "training": options.identity()}, "data": "d"}


def resolve(
    model: PoseModel, store: Path, options: TrainingOptions, persons: int = MANY
) -> tuple[TrainingOptions, dict[str, Any]]:
    return resolve_automatic(model, options, persons, CheckpointStore(store), identify(options))


def give_memory(monkeypatch: pytest.MonkeyPatch, model: PoseModel, persons: float) -> None:
    """Make as much memory available as a step of so many persons takes."""
    probe = StepProbe(model, make_options(), torch.device("cpu"))
    monkeypatch.setattr(step_probe, "available_memory", lambda: 0)
    fixed = -probe.persons_in_cpu_memory()  # the weights, in persons
    monkeypatch.setattr(step_probe, "available_memory", lambda: 10**9)
    per_person = 10**9 / (probe.persons_in_cpu_memory() + fixed)
    monkeypatch.setattr(step_probe, "available_memory", lambda: int((persons + fixed) * per_person))


@pytest.mark.parametrize(("persons", "size"), [(0.5, 1), (2.5, 2), (15.9, 8), (16.1, 16), (1e4, 64)])
def test_batch_size_is_the_largest_power_of_two_in_memory(
    persons: float, size: int, untrained: PoseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_memory(monkeypatch, untrained, persons)
    assert resolve(untrained, tmp_path, make_options())[0].batch_size == size


@pytest.mark.parametrize(("persons", "size"), [(1, 2), (43, 4), (79, 4), (80, 8), (639, 32), (640, 64)])
def test_an_epoch_has_ten_steps_or_more(persons: int, size: int, untrained: PoseModel, tmp_path: Path) -> None:
    assert resolve(untrained, tmp_path, make_options(), persons)[0].batch_size == size


def test_kept_activations_are_counted_once_and_grow_with_the_crop(untrained: PoseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input of the first convolution alone is 3 * 64 * 64 float32 per person; the whole network keeps far more."""
    monkeypatch.setattr(step_probe, "available_memory", lambda: 10**9)
    plain, half = (
        StepProbe(untrained, make_options(amp=amp), torch.device("cpu")).persons_in_cpu_memory() for amp in ("off", "bf16")
    )
    bytes_per_person = 0.5 * 10**9 / plain
    assert 20 * 3 * 64 * 64 * 4 < bytes_per_person < 200 * 3 * 64 * 64 * 4
    assert half > 1.2 * plain


def test_resolved_values_replace_auto_everywhere_and_nothing_else_changes(
    untrained: PoseModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: value.clone() for name, value in untrained.network.state_dict().items()}
    state = torch.get_rng_state()
    options = make_options()
    with caplog.at_level(logging.INFO):
        resolved, identity = resolve(untrained, tmp_path, options, 43)
    assert resolved == options.model_copy(update={"batch_size": 4})
    assert identity == identify(resolved)
    assert resolved.persons_per_step == 4
    assert "0.001 is not scaled" in caplog.text
    assert all(torch.equal(value, before[name]) for name, value in untrained.network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_numbers_are_not_measured(untrained: PoseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic_options, "StepProbe", None)
    options = make_options(batch_size=7, amp="off")
    assert resolve(untrained, tmp_path, options) == (options, identify(options))


def test_unresolved_batch_size_is_refused(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="batch_size"):
        train(untrained, train_set, val_set, make_options(), CheckpointStore(tmp_path), "f")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("speed_up", "chosen"), [(1.5, "bf16"), (1.05, "off"), (0.4, "off")])
def test_mixed_precision_on_a_cpu_must_be_faster(
    speed_up: float, chosen: str, untrained: PoseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic_options, "has_native_bf16", lambda _device: True)
    monkeypatch.setattr(StepProbe, "time_step", lambda probe, _persons: 1.0 if probe.step.bf16 else speed_up)
    resolved, identity = resolve(untrained, tmp_path, make_options(batch_size=8, amp="auto"))
    assert (resolved.amp, identity["modelling"]["training"]["amp"]) == (chosen, chosen)


def test_mixed_precision_stays_open_without_native_bf16(
    untrained: PoseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic_options, "has_native_bf16", lambda _device: False)
    options = make_options(batch_size=8, amp="auto")
    assert resolve(untrained, tmp_path, options) == (options, identify(options))


def test_time_of_a_step_is_measured(untrained: PoseModel) -> None:
    assert StepProbe(untrained, make_options(), torch.device("cpu")).time_step(2) > 0


def test_unfinished_run_keeps_its_batch_size(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(record: EpochRecord) -> None:
        raise KilledError

    store = CheckpointStore(tmp_path)
    resolved, identity = resolve(untrained, tmp_path, make_options(), 43)
    with pytest.raises(KilledError):
        train(
            untrained, train_set, val_set, resolved, store, fingerprint(identity), on_epoch=kill, run_identity=identity
        )  # fmt: skip
    give_memory(monkeypatch, untrained, 2.5)  # the machine has less memory now
    again, same_identity = resolve(untrained, tmp_path, make_options(), 43)
    assert (again.batch_size, same_identity) == (4, identity)
    # Another run is measured, and so is the same one once it is finished.
    assert resolve(untrained, tmp_path, make_options(seed=1), 43)[0].batch_size == 2
    outcome = train(untrained, train_set, val_set, again, store, fingerprint(same_identity), run_identity=same_identity)
    assert outcome.model.provenance["training"]["batch_size"] == 4
    store.finish(fingerprint(same_identity))
    assert resolve(untrained, tmp_path, make_options(), 43)[0].batch_size == 2


def test_fine_tuning_resolves_the_batch_size(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    outcome = fine_tune(untrained, train_set, val_set, make_options(epochs=1), CheckpointStore(tmp_path), {"data": "d"})
    assert outcome.model.provenance["training"]["batch_size"] == 4


def test_batch_on_a_gpu_is_doubled_until_it_does_not_fit() -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= 20

    assert automatic_options._largest_that_fits(fits, 256) == 16
    assert tried == [2, 4, 8, 16, 32]
    assert automatic_options._largest_that_fits(fits, 8) == 8
    with pytest.raises(OptionsError, match="memory"):
        automatic_options._largest_that_fits(lambda _size: False, 256)


def test_largest_power_of_two() -> None:
    assert [largest_power_of_two(limit) for limit in (-3, 0.3, 1, 1.9, 2, 31, 32.5)] == [1, 1, 1, 1, 2, 16, 32]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")
def test_steps_that_do_not_fit_on_a_gpu_leave_no_memory_behind(untrained: PoseModel) -> None:
    probe = StepProbe(untrained, make_options(device="cuda"), torch.device("cuda"))
    before = torch.cuda.memory_allocated()
    assert probe.fits_on_gpu(4)
    assert not probe.fits_on_gpu(2**22)
    assert torch.cuda.memory_allocated() <= before + 2**20
