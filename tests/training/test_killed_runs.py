"""Resumption of killed trainings: a training killed at any moment has exactly the weights of an uninterrupted run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec
from posescope.data.crops.crop_set import CropSet
from posescope.training import checkpoint_state, gradients
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.records import TrainingOutcome
from posescope.training.trainer import train
from posescope.training.validation_grids import ImageGridFolder

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a process whose gradients may run on a GPU cannot be forked")

OPTIONS = TrainingOptions.model_validate(
    {
        "epochs": 3, "batch_size": 8, "learning_rate": 0.01, "device": "cpu", "seed": 5, "ema_decay": 0.9, "keep_checkpoints": 1,
        "optimiser": {"name": "adamw"}, "schedule": {"name": "one_cycle"}, "image_grid_every_epochs": 1,
        "augmentations": [{"name": "flip"}, {"name": "rotate_scale", "options": {"rotation_deg": 10}}, {"name": "colour_jitter"}],
    }
)  # fmt: skip

# The process kills itself at the n-th call of a function. An epoch has six steps and three renamings: its image grid,
# `state.json` in the temporary folder, and that folder. The tenth renaming is that of the removed checkpoint.
MOMENTS = [
    *[("step", number) for number in (1, 4, 7, 18)],
    *[("tensors half written", number) for number in (1, 3)],
    *[("before renaming", number) for number in (1, 2, 3, 8, 9, 10)],
    *[("after renaming", number) for number in (1, 2, 3, 8, 9, 10)],
    ("checkpoint half removed", 1),
    ("model not saved", 1),
]


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly:
    """Return a function that kills the process at its n-th call, `before` or `after` its work."""

    def __init__(self, function: Callable[..., Any], number: int, before: Callable[..., Any] | None, after: Any = None) -> None:
        self.function, self.left, self.before, self.after = function, number, before, after

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left == 0 and self.before:
            self.before(*arguments)
            kill_myself()
        result = self.function(*arguments, **options)
        if self.left == 0:
            if self.after:
                self.after(*arguments)
            kill_myself()
        return result


def cut_in_half(tensors: Any, path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove_one_file(folder: Path) -> None:
    next(folder.iterdir()).unlink()


def die_at(monkeypatch: pytest.MonkeyPatch, moment: str, number: int) -> None:
    """Make the process kill itself at a moment of `MOMENTS`."""

    def nothing(*_: Any) -> None:
        pass

    match moment:
        case "step":
            monkeypatch.setattr(gradients, "supervise", Deadly(gradients.supervise, number, nothing))
        case "tensors half written":
            monkeypatch.setattr(checkpoint_state, "save_file", Deadly(checkpoint_state.save_file, number, None, cut_in_half))
        case "before renaming":
            monkeypatch.setattr(os, "replace", Deadly(os.replace, number, nothing))
        case "after renaming":
            monkeypatch.setattr(os, "replace", Deadly(os.replace, number, None))
        case "checkpoint half removed":
            removals = Deadly(shutil.rmtree, number, remove_one_file)
            # A checkpoint is renamed before it is removed.
            monkeypatch.setattr("posescope.core.mirrors.shutil.rmtree", _of_existing(shutil.rmtree, removals))


def _of_existing(original: Callable[..., Any], deadly: Deadly) -> Callable[..., Any]:
    def remove(path: Path, *arguments: Any, **options: Any) -> None:
        (deadly if Path(path).exists() else original)(path, *arguments, **options)

    return remove


def run_and_die(monkeypatch: pytest.MonkeyPatch, moment: str, number: int, work: Callable[[], object]) -> int:
    """Run the work in a forked process that kills itself, and return the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            die_at(monkeypatch, moment, number)
            work()
            if moment == "model not saved":
                kill_myself()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def assert_same(first: TrainingOutcome, second: TrainingOutcome) -> None:
    assert [replace(record, seconds=0) for record in first.history] == [replace(record, seconds=0) for record in second.history]
    assert first.model.provenance == second.model.provenance
    weights, others = first.model.network.state_dict(), second.model.network.state_dict()
    assert [name for name, value in weights.items() if not torch.equal(value, others[name])] == []


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, without the times in the states, which differ between runs."""
    return {
        str(path.relative_to(folder)): b"" if path.name == "state.json" else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def untrained(untrained: PoseModel) -> PoseModel:
    """Return a smaller network, which trains in half the time: nothing here must be learnt."""
    options = {"channels": 8, "stem_channels": 4, "depth": 1, "bottleneck_residuals": 1, "stacks": 1}
    return build_untrained(
        ComponentSpec(name="hourglass", options=options), untrained.codec_spec, untrained.skeleton, untrained.crop_size,
        untrained.mean_rgb, untrained.crop, seed=7,
    )  # fmt: skip


@pytest.fixture(scope="module")
def complete_runs() -> dict[str, tuple[TrainingOutcome, dict[str, bytes]]]:
    """The uninterrupted run, trained by the first test and shared by all."""
    return {}


@pytest.mark.parametrize(("moment", "number"), MOMENTS)
def test_killed_run_resumes_with_the_same_results(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    complete_runs: dict[str, tuple[TrainingOutcome, dict[str, bytes]]], moment: str, number: int,
) -> None:  # fmt: skip
    def run(folder: Path) -> TrainingOutcome:
        store, image_grids = CheckpointStore(folder / "checkpoints"), ImageGridFolder(folder / "image_grids")
        return train(untrained, train_set, val_set, OPTIONS, store, "f", image_grids=image_grids)

    if not complete_runs:
        complete_runs["complete"] = run(tmp_path / "complete"), files_of(tmp_path / "complete")
    complete, files = complete_runs["complete"]
    assert run_and_die(monkeypatch, moment, number, lambda: run(tmp_path / "killed")) == -signal.SIGKILL
    torch.manual_seed(99)  # a new process has another global state
    assert_same(complete, run(tmp_path / "killed"))
    assert files_of(tmp_path / "killed") == files


def test_killed_while_a_finished_run_is_removed(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options, store = OPTIONS.model_copy(update={"epochs": 2, "keep_checkpoints": 2}), CheckpointStore(tmp_path)
    first = train(untrained, train_set, val_set, options, store, "f")
    store.finish("f")
    assert run_and_die(monkeypatch, "checkpoint half removed", 1, lambda: store.begin("f")) == -signal.SIGKILL
    assert store.latest("f") is None  # still a finished run
    assert_same(first, train(untrained, train_set, val_set, options, store, "f"))


PROGRAM = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
sys.path.insert(0, sys.argv[1])
from conftest import DOTS, SIZE, make_dots
from posescope.geometry.crop_recipe import CropRecipe
from posescope.core.plugins import ComponentSpec
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.trainer import train
from posescope.training.options import TrainingOptions
from posescope.training.initialisation import build_untrained

torch.set_num_threads(1)
small = {"channels": 16, "stem_channels": 8, "depth": 2, "bottleneck_residuals": 1}
model = build_untrained(
    ComponentSpec(name="hourglass", options=small), ComponentSpec(name="gaussian"), DOTS, (SIZE, SIZE), (0.4, 0.4, 0.4),
    CropRecipe(rule=ComponentSpec(name="centred_square")), 7,
)
options = TrainingOptions(epochs=8, batch_size=4, learning_rate=1e-3, device="cpu", ema_decay=0.9)
outcome = train(model, make_dots(43, 1), make_dots(13, 2), options, CheckpointStore(Path(sys.argv[2])), "f")
save_file({name: value.contiguous() for name, value in outcome.model.network.state_dict().items()}, sys.argv[2] + ".safetensors")
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(folder)]
    return subprocess.Popen(program, stderr=subprocess.DEVNULL)


@pytest.mark.slow  # slow: the tests above cover it in the default run
def test_process_killed_by_a_signal_resumes(tmp_path: Path) -> None:
    assert start(tmp_path / "complete").wait() == 0
    process = start(tmp_path / "killed")
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "f" / "epoch_0002").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed.safetensors").exists()
    assert start(tmp_path / "killed").wait() == 0
    assert (tmp_path / "killed.safetensors").read_bytes() == (tmp_path / "complete.safetensors").read_bytes()
