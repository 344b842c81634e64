"""Tests of posescope.training.checkpoints."""

import json
import logging
import math
from pathlib import Path

import pytest
import torch

from posescope.training.checkpoints import CheckpointError, CheckpointStore, TrainingState
from posescope.training.records import EpochRecord

PCKS = (0.1, 0.9, 0.2, 0.3, 0.4)


def make_state(epoch: int, fingerprint: str = "aaaa") -> TrainingState:
    history = tuple(EpochRecord(index + 1, 0.1 / 3, math.nan, PCKS[index], 1e-3, 2.5) for index in range(epoch))
    tensors = {
        "network.weight": torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last) / 7,
        "optimiser.0.step": torch.tensor(float(epoch)),
        "generator.cpu": torch.get_rng_state(),
    }
    return TrainingState(fingerprint, epoch, 10 * epoch, history, tensors, {"groups": [{"lr": 0.1 / 3}], "numbers": {}})


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_round_trip_to_the_bit(tmp_path: Path) -> None:
    store, state = CheckpointStore(tmp_path), make_state(2)
    store.save(state, keep=2)
    read = store.latest("aaaa")
    assert (read.epoch, read.step, read.optimiser) == (2, 20, state.optimiser)
    assert [(row.epoch, row.train_loss, row.val_pck_thesis) for row in read.history] == [(1, 0.1 / 3, 0.1), (2, 0.1 / 3, 0.9)]
    assert math.isnan(read.history[0].val_loss)
    assert set(read.tensors) == set(state.tensors)
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in state.tensors.items())
    assert torch.equal(read.part("network")["weight"], state.tensors["network.weight"])


def test_the_last_k_and_the_best_stay(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for epoch in range(1, 6):
        store.save(make_state(epoch), keep=2)
    assert kept(tmp_path / "aaaa") == ["epoch_0002", "epoch_0004", "epoch_0005"]


def test_half_written_folders_of_a_killed_run_are_not_read_and_go(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1), keep=1)
    (tmp_path / "aaaa" / ".epoch_0002.99.tmp").mkdir()
    assert store.latest("aaaa").epoch == 1
    store.save(make_state(2), keep=2)
    assert kept(tmp_path / "aaaa") == ["epoch_0001", "epoch_0002"]


def test_nothing_there_is_no_state(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path / "none").latest("aaaa") is None


def test_a_finished_run_is_not_resumed_and_makes_room_with_a_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1), keep=1)
    store.finish("aaaa")
    assert store.latest("aaaa") is None
    with caplog.at_level(logging.INFO):
        store.begin("aaaa")
    assert "makes room" in caplog.text or "make room" in caplog.text
    assert not (tmp_path / "aaaa").exists()


def test_a_run_without_a_checkpoint_cannot_be_finished(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="aaaa: no run with a checkpoint"):
        CheckpointStore(tmp_path).finish("aaaa")
    assert not (tmp_path / "aaaa").exists()


def test_a_run_of_other_options_is_left_aside_with_a_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1, "bbbb"), keep=1)
    with caplog.at_level(logging.INFO):
        assert store.latest("aaaa") is None
    assert "bbbb" in caplog.text
    store.begin("aaaa")
    store.save(make_state(1, "aaaa"), keep=1)
    assert store.latest("bbbb").fingerprint == "bbbb"


@pytest.mark.parametrize("damaged", ["tensors.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damaged: str) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1), keep=1)
    (tmp_path / "aaaa" / "epoch_0001" / damaged).write_bytes(b"{")
    with pytest.raises(CheckpointError, match="epoch_0001: not a whole checkpoint"):
        store.latest("aaaa")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1), keep=1)
    path = tmp_path / "aaaa" / "epoch_0001" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        store.latest("aaaa")
