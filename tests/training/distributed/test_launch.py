"""Tests of posescope.training.distributed.launch: two processes (gloo) have the results of one.

The order of sums differs, so gradients differ in their last bits. Some weights have only this noise as gradient (biases before
a batch norm), which RMSProp and AdamW amplify to whole steps; a larger `eps` keeps it small, so that losses are comparable. With
channels last torch's batch norm on the CPU is less exact (6e-5 instead of 2e-6), so it is off.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from tests.experiment_loggers import FILE, read_calls

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.shard_reader import ShardReader
from posescope.data.crops.shard_writer import digest_bytes_of
from posescope.tracking.records import TrackedRun
from posescope.tracking.training_observer import TrainingTracker
from posescope.training.checkpoint_store import CheckpointError, CheckpointStore
from posescope.training.distributed import worker
from posescope.training.distributed.launch import TrainingProcessError
from posescope.training.options import TrainingOptions
from posescope.training.records import TrainingOutcome
from posescope.training.trained_parts import TrainedParts
from posescope.training.trainer import NonFiniteLossError, train
from posescope.training.validation_grids import ImageGridFolder

LOSS_TOLERANCE = 1e-4
CALM, CALM_ADAMW = ({"name": name, "options": {"eps": 0.01}} for name in ("rmsprop", "adamw"))
AUGMENTED = [{"name": "flip"}, {"name": "rotate_scale", "options": {"rotation_deg": 10}}, {"name": "colour_jitter"}]


def make_options(**changes: Any) -> TrainingOptions:
    defaults = {"epochs": 2, "batch_size": 15, "learning_rate": 1e-4, "seed": 5, "optimiser": CALM, "channels_last": False}
    return TrainingOptions.model_validate({**defaults, "device": "cpu", "processes": 2, "threads": 1, **changes})


@pytest.fixture
def stored_set(train_set: CropSet, tmp_path: Path) -> CropSet:
    """The training set read from files, as the store of crops returns it."""
    paths = [tmp_path / f"{number}.npy" for number in range(2)]
    for path, shard in zip(paths, train_set.shards, strict=True):
        np.save(path, shard)
    digests = [np.frombuffer(b"".join(map(digest_bytes_of, shard)), np.uint8).reshape(-1, 16) for shard in train_set.shards]
    return replace(train_set, shards=ShardReader(paths, digests))


class MissingInChildren(np.ndarray):
    """An array that cannot be unpickled: a child opens a file that does not exist."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("missing.npy",)


def assert_close(one: TrainingOutcome, two: TrainingOutcome) -> None:
    for single, shared in zip(one.history, two.history, strict=True):
        assert shared.train_loss == pytest.approx(single.train_loss, rel=LOSS_TOLERANCE)
        assert shared.val_loss == pytest.approx(single.val_loss, rel=10 * LOSS_TOLERANCE)
        assert shared.val_pck_thesis == pytest.approx(single.val_pck_thesis, abs=0.03)


def assert_plain(outcome: TrainingOutcome) -> None:
    """The model has no distributed layers; only its provenance states the number of processes."""
    kinds = {type(module).__name__ for module in outcome.model.network.modules()}
    assert "BatchNorm2d" in kinds
    assert not any("Sync" in kind or "Distributed" in kind for kind in kinds)
    assert outcome.model.provenance["training"]["processes"] == 2


def inet_sockets(process: psutil.Process) -> set[tuple[str, str]]:
    """Return (status, address) of the sockets of a process and its descendants."""
    found = set()
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
            found |= {(link.status, link.laddr.ip) for link in one.net_connections(kind="inet") if link.laddr}
    return found


@contextmanager
def watched_sockets() -> Iterator[set[tuple[str, str]]]:
    """Collect the sockets that are open during the block and were not before."""
    before, seen, over = inet_sockets(psutil.Process()), set(), threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            seen.update(inet_sockets(psutil.Process()) - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"augmentations": AUGMENTED, "optimiser": CALM_ADAMW, "ema_decay": 0.9, "grad_clip": 0.5, "warmup_steps": 5},
    ],
)
def test_losses_of_two_processes_equal_those_of_one(
    changes: dict[str, Any], untrained: PoseModel, stored_set: CropSet, val_set: CropSet, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """43 persons in batches of 15, 14, 14: slices of unequal size. No port is open to other machines."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3])  # the new processes import the logger of the tests
    options = make_options(**changes)
    image_grids = ImageGridFolder(tmp_path / "image_grids")
    with watched_sockets() as sockets:
        two = train(
            untrained, stored_set, val_set, options, CheckpointStore(tmp_path / "two"), "f", image_grids=image_grids,
            observer=TrainingTracker(TrackedRun("run", tmp_path), "run", [ComponentSpec(name=FILE)], timeout_s=10),
        )  # fmt: skip
    calls = [call["call"] for call in read_calls(tmp_path / "run.jsonl")]
    assert sorted(calls) == ["close", "epoch", "epoch", "image", "open"], "only the main process logs"
    assert "LISTEN" in {status for status, _ in sockets}  # gloo listens, so the right processes were inspected
    assert {address for _, address in sockets if not ip_address(address).is_loopback} == set()
    one_process = options.model_copy(update={"processes": 1})
    one = train(untrained, stored_set, val_set, one_process, CheckpointStore(tmp_path / "one"), "f")
    assert_close(one, two)
    assert [path.name for path in (tmp_path / "image_grids" / "f").iterdir()] == ["epoch_0002.png"]
    assert_plain(two)


def test_gradients_and_statistics_of_two_processes_equal_those_of_one(
    untrained: PoseModel, stored_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    """RMSProp's steps do not show the size of gradients, so their mean squares and batch-norm statistics are compared."""
    few = stored_set.subset(np.arange(7))
    options = make_options(epochs=1)
    stores = {count: CheckpointStore(tmp_path / str(count)) for count in (1, 2)}
    for count, store in stores.items():
        train(untrained, few, val_set, options.model_copy(update={"processes": count}), store, "f")
    one, two = (store.read("f", 1) for store in stores.values())
    mean_squares = [name for name, value in one.tensors.items() if name.endswith("square_avg") and value.ndim == 4]
    statistics = [name for name in one.tensors if "running_" in name]
    assert len(mean_squares) > 50
    assert len(statistics) > 100
    for name in (*mean_squares, *statistics):
        assert (two.tensors[name] - one.tensors[name]).norm() < 1e-4 * one.tensors[name].norm(), name


@pytest.mark.slow
def test_run_in_two_processes_resumes_from_its_checkpoints(
    untrained: PoseModel, stored_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    complete = train(untrained, stored_set, val_set, make_options(epochs=3), CheckpointStore(tmp_path / "complete"), "f")
    store = CheckpointStore(tmp_path / "two")
    train(untrained, stored_set, val_set, make_options(epochs=2), store, "f")
    resumed = train(untrained, stored_set, val_set, make_options(epochs=3), store, "f")
    assert [replace(record, seconds=0) for record in resumed.history] == [
        replace(record, seconds=0) for record in complete.history
    ]
    for name, value in complete.model.network.state_dict().items():
        assert torch.equal(value, resumed.model.network.state_dict()[name]), name


def test_errors_keep_their_type_and_message(untrained: PoseModel, stored_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    options = make_options(learning_rate=1e30, epochs=4)
    with pytest.raises(NonFiniteLossError, match=r"epoch 1, step 1\..* (\d+, ){13}\d+\.") as caught:
        train(untrained, stored_set, val_set, options, CheckpointStore(tmp_path / "c"), "f")
    assert caught.value.__cause__ is not None
    with pytest.raises(CheckpointError, match="'other'"):
        train(untrained, stored_set, val_set, make_options(resume="other"), CheckpointStore(tmp_path / "d"), "f")


def test_failed_process_is_named(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    shards = tuple(shard.view(MissingInChildren) for shard in train_set.shards)
    with pytest.raises(TrainingProcessError, match=r"process [01] .*code 1: .*missing\.npy"):
        train(untrained, replace(train_set, shards=shards), val_set, make_options(), CheckpointStore(tmp_path / "c"), "f")


def test_killed_process_ends_the_run(
    untrained: PoseModel, stored_set: CropSet, val_set: CropSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is that of the killed process, not of the other one."""
    killed: list[int] = []
    before = multiprocessing.active_children()  # of other tests in this process

    def kill_one() -> None:
        while not list((tmp_path / "c").rglob("epoch_0001")):
            time.sleep(0.01)
        children = set(multiprocessing.active_children()) - set(before)
        killed.append(sorted(child.pid or 0 for child in children)[-1])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(TrainingProcessError, match=r"process [01] .*signal 9"):
        train(untrained, stored_set, val_set, make_options(epochs=200), CheckpointStore(tmp_path / "c"), "f")
    killer.join()
    assert killed
    assert set(multiprocessing.active_children()) <= set(before)


def test_error_with_further_arguments_is_raised_as_its_base_class() -> None:
    classes = worker._error_classes()
    assert classes["NonFiniteLossError"] is NonFiniteLossError
    assert "WrongOptionsError" not in classes
    assert classes["OptionsError"] is OptionsError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"processes": 15}, "14 of 43"),
        ({"device": "cuda:0"}, "cuda:0"),
    ],
)
def test_too_many_processes_are_refused(
    changes: dict[str, Any], message: str, untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    with pytest.raises(OptionsError, match=message):
        train(untrained, train_set, val_set, make_options(**changes), CheckpointStore(tmp_path), "f")


def test_on_epoch_with_several_processes_is_refused(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    with pytest.raises(OptionsError, match="on_epoch"):
        train(untrained, train_set, val_set, make_options(), CheckpointStore(tmp_path), "f", on_epoch=lambda record: None)


@pytest.mark.slow
def test_two_processes_freeze_and_stop_like_one(
    untrained: PoseModel, stored_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    """All but the last projection is frozen, and the rate is tiny: the PCK does not change, so that patience ends the run."""
    parts = TrainedParts(
        freeze=("stem", "hourglasses", "merge*", "heads.0", "heads.1.residual", "heads.1.conv", "heads.1.norm"),
        learning_rate_scale={"heads": 0.5},
    )
    outcomes = {
        count: train(
            untrained,
            stored_set,
            val_set,
            make_options(epochs=6, learning_rate=1e-12, patience=2, processes=count),
            CheckpointStore(tmp_path / str(count)),
            "f",
            parts=parts,
        )
        for count in (1, 2)
    }
    assert [len(outcome.history) for outcome in outcomes.values()] == [3, 3]
    assert_close(outcomes[1], outcomes[2])
    frozen = {name: value for name, value in untrained.network.state_dict().items() if not name.startswith("heads.1.project")}
    state = outcomes[2].model.network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in frozen.items())
