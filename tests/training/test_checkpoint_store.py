"""Tests of posescope.training.checkpoint_store."""

import json
import logging
import math
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
import torch

from posescope.core.mirrors import open_mirror
from posescope.training.checkpoint_state import state_from_bytes, state_to_bytes
from posescope.training.checkpoint_store import CheckpointError, CheckpointStore, DamagedCheckpointError, TrainingState
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


def list_folder(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_round_trip_is_exact(tmp_path: Path) -> None:
    store, state = CheckpointStore(tmp_path), make_state(2)
    store.save(state, keep=2)
    read = store.latest("aaaa")
    assert (read.epoch, read.step, read.optimiser) == (2, 20, state.optimiser)
    assert [(row.epoch, row.train_loss, row.val_pck_thesis) for row in read.history] == [(1, 0.1 / 3, 0.1), (2, 0.1 / 3, 0.9)]
    assert math.isnan(read.history[0].val_loss)
    assert set(read.tensors) == set(state.tensors)
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in state.tensors.items())
    assert torch.equal(read.part("network")["weight"], state.tensors["network.weight"])


def test_state_as_bytes_equals_the_one_in_files(tmp_path: Path) -> None:
    store, state = CheckpointStore(tmp_path), make_state(2)
    store.save(state, keep=2)
    sent, read = state_from_bytes(state_to_bytes(state)), store.latest("aaaa")
    assert (sent.epoch, sent.step, sent.optimiser, sent.history[0].train_loss) == (2, 20, read.optimiser, 0.1 / 3)
    assert set(sent.tensors) == set(read.tensors)
    for name, tensor in sent.tensors.items():
        assert (torch.equal(tensor, read.tensors[name]), tensor.stride()) == (True, read.tensors[name].stride())
    assert state_to_bytes(None) == b""
    assert state_from_bytes(b"") is None


def test_interrupted_upload_is_no_checkpoint(tmp_path: Path) -> None:
    """A process was killed between the upload of the tensors and that of the state, or before the first object."""
    fsspec.filesystem("memory").store.clear()
    first, other = (open_mirror("memory://bucket/checkpoints", tmp_path / name) for name in ("first", "other"))
    store = CheckpointStore(first.root)
    store.save(make_state(1), keep=2)
    first.store.delete(["aaaa/epoch_0001/state.json"])
    for mirror in (first, other):
        mirror.fetch(mirror.root)
        assert (mirror.root / "aaaa/epoch_0001/tensors.safetensors").is_file()
        assert CheckpointStore(mirror.root).latest("aaaa") is None
    store.save(make_state(1), keep=2)
    other.fetch(other.root)
    assert CheckpointStore(other.root).latest("aaaa").epoch == 1
    first.store.delete([found.name for found in first.store.list()])
    first.fetch(first.root)
    assert (first.root / "aaaa/epoch_0001").is_dir()
    assert store.latest("aaaa") is None


def test_last_k_and_best_checkpoints_are_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for epoch in range(1, 6):
        store.save(make_state(epoch), keep=2)
    assert list_folder(tmp_path / "aaaa") == ["epoch_0002", "epoch_0004", "epoch_0005"]


def test_incomplete_folders_of_a_killed_run_are_ignored_and_removed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.clean("aaaa")  # nothing there yet
    store.save(make_state(1), keep=1)
    (tmp_path / "aaaa" / ".epoch_0002.99.tmp").mkdir()
    (tmp_path / "aaaa" / ".finished.99.tmp.json").touch()
    assert store.latest("aaaa").epoch == 1
    store.clean("aaaa")
    assert list_folder(tmp_path / "aaaa") == ["epoch_0001"]
    store.save(make_state(2), keep=2)
    assert list_folder(tmp_path / "aaaa") == ["epoch_0001", "epoch_0002"]


def test_no_state_in_an_empty_store(tmp_path: Path) -> None:
    assert CheckpointStore(tmp_path / "none").latest("aaaa") is None


def test_finished_run_is_not_resumed_and_its_removal_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1), keep=1)
    store.finish("aaaa")
    assert store.latest("aaaa") is None
    with caplog.at_level(logging.INFO):
        store.begin("aaaa")
    assert "aaaa" in caplog.text
    assert not (tmp_path / "aaaa").exists()


def test_run_without_checkpoints_is_not_marked_as_finished(tmp_path: Path) -> None:
    CheckpointStore(tmp_path).finish("aaaa")
    assert list(tmp_path.iterdir()) == []


def test_unfinished_run_of_other_options_is_kept_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1, "bbbb"), keep=1)
    assert store.latest("aaaa") is None
    with caplog.at_level(logging.INFO):
        store.log_others("aaaa")
    assert "bbbb" in caplog.text
    store.begin("aaaa")
    store.save(make_state(1, "aaaa"), keep=1)
    assert store.latest("bbbb").fingerprint == "bbbb"


def damage(file: Path, how: str) -> None:
    """Truncate a file, change a byte in its middle, or remove it."""
    content = bytearray(file.read_bytes())
    content[-1 if file.suffix == ".safetensors" else content.index(b'"step": ') + 8] ^= 1
    file.write_bytes(bytes(content) if how == "changed" else bytes(content[: len(content) // 2]))
    if how == "missing":
        file.unlink()


@pytest.mark.parametrize("how", ["cut", "changed", "missing"])
@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
def test_previous_checkpoint_replaces_a_damaged_one(
    tmp_path: Path, file: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = CheckpointStore(tmp_path)
    for epoch in (1, 2, 3):
        store.save(make_state(epoch), keep=2)
    damage(tmp_path / "aaaa" / "epoch_0003" / file, how)
    with pytest.raises(DamagedCheckpointError, match="epoch_0003"):
        store.read("aaaa", 3)
    with caplog.at_level(logging.WARNING):
        state = store.latest("aaaa")
    assert (state.epoch, state.step) == (2, 20)
    assert "epoch_0003" in caplog.text
    store.save(make_state(3), keep=2)  # the epoch is trained again and replaces the damaged one
    assert store.latest("aaaa").epoch == 3


def test_state_with_a_damaged_best_epoch_is_not_resumed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for epoch in range(1, 5):
        store.save(make_state(epoch), keep=3)  # 2 is the best
    damage(tmp_path / "aaaa" / "epoch_0002" / "tensors.safetensors", "cut")
    with pytest.raises(CheckpointError, match="aaaa"):
        store.latest("aaaa")


def test_best_checkpoint_of_each_of_the_last_k_is_kept(tmp_path: Path) -> None:
    """PCK of epochs 0.5, 0.1, 0.9: if 3 is damaged, the run resumes after 2 and may need the weights of 1."""
    store = CheckpointStore(tmp_path)
    history = tuple(EpochRecord(index + 1, 0.1, 0.1, pck, 1e-3, 1.0) for index, pck in enumerate((0.5, 0.1, 0.9)))
    for epoch in (1, 2, 3):
        store.save(replace(make_state(epoch), history=history[:epoch]), keep=2)
    damage(tmp_path / "aaaa" / "epoch_0003" / "state.json", "cut")
    assert store.latest("aaaa").epoch == 2


def test_only_an_unfinished_run_of_the_same_options_is_resumable(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    there = {"training": {"epochs": 3, "augmentations": ["flip"]}, "data": "d1"}
    with pytest.raises(CheckpointError, match="'aaaa'"):
        store.check_resumable("aaaa", "aaaa", there)
    store.save(replace(make_state(1), run_identity=there), keep=1)
    store.check_resumable("aaaa", "aaaa", there)
    here = {"training": {"epochs": 5, "augmentations": ("flip",)}, "data": "d2"}
    expected = r"aaaa: .*data: \w+ 'd1', \w+ 'd2'; training.epochs: \w+ 3, \w+ 5"
    with pytest.raises(CheckpointError, match=expected):
        store.check_resumable("aaaa", "bbbb", here)
    with pytest.raises(CheckpointError, match=r"cccc.*aaaa"):
        store.check_resumable("cccc", "bbbb", here)
    store.finish("aaaa")
    with pytest.raises(CheckpointError, match="finished"):
        store.check_resumable("aaaa", "aaaa", there)
    assert list_folder(tmp_path) == ["aaaa"]


def test_checkpoint_in_the_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1), keep=1)
    (tmp_path / "aaaa").rename(tmp_path / "bbbb")
    with pytest.raises(CheckpointError, match=r"bbbb/epoch_0001.*'aaaa'"):
        store.latest("bbbb")


def test_other_format_is_refused(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(make_state(1), keep=1)
    path = tmp_path / "aaaa" / "epoch_0001" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(CheckpointError, match="99"):
        store.latest("aaaa")
