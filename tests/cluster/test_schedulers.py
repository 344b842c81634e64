"""Pipelines that a scheduler starts one by one, each in a process of its own: killed, repeated, and started twice."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.kedro_sessions import REPOSITORY

from posescope.artifacts.uncertainty import UNCERTAINTY
from posescope.core.data_folder import DataFolder
from posescope.data.crops.crop_store import CropStore
from posescope.training.checkpoint_store import CheckpointStore

pytestmark = pytest.mark.cluster
CHAIN = ("data_engineering", "modelling", "evaluation")
IN_USE = 75


# Run in a process of its own: a forked one would hang on locks of threads that other tests have started.
_PROGRAM = """
import json, os, signal, sys
from importlib import import_module
import torch
from posescope.__main__ import main

arguments, kill = json.loads(sys.argv[1])
torch.set_num_threads(1)  # the order of sums depends on the number of threads
if kill:
    module, owner, method, number = kill
    owner = getattr(import_module(module), owner)
    original, calls = getattr(owner, method), iter(range(1, number))

    def call(*values, **named):
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*values, **named)

    setattr(owner, method, call)
main(arguments, standalone_mode=True)
"""


def start(root: Path, *arguments: str, kill: tuple[type, str, int] | None = None) -> int:
    """Run `python -m posescope ...`; return its exit code, negative for a signal.

    Args:
        root: folder of the data.
        arguments: more arguments of the command.
        kill: class, method and n: the process kills itself at the n-th call of this method.
    """
    params = f"data_dir={root / 'data'},raw_dir={root / 'raw'},data_engineering.crop.shard_persons=8"
    at = None if kill is None else (kill[0].__module__, kill[0].__qualname__, *kill[1:])
    given = json.dumps([["--env", "test", "--params", params, *arguments], at])
    return subprocess.run([sys.executable, "-c", _PROGRAM, given], cwd=REPOSITORY, timeout=300, check=False).returncode


def start_pipeline(root: Path, name: str, **how: Any) -> int:
    return start(root, "--pipelines", name, "--only-missing-outputs", **how)


def written(root: Path) -> dict[str, int]:
    """Return the time of writing of every file, without run records, lock and journal of the checksums."""
    files = (path for path in (root / "data").rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in files
        if not {"runs", ".lock", ".lock.workers", ".checksums"} & set(path.parts)
    }


def results(root: Path) -> dict[str, bytes]:
    """Return the bytes of the model, of the crops and of the metrics, which contain no times."""
    patterns = ("06_models/model/*/model/*.safetensors", f"06_models/model/*/model/{UNCERTAINTY}", "08_reporting/metrics.json",
                "05_model_input/crops/*.npy", "07_model_output/val/coco_results.json")  # fmt: skip
    found = {pattern: sorted((root / "data").glob(pattern)) for pattern in patterns}
    assert [pattern for pattern, paths in found.items() if not paths] == []
    return {f"{pattern} {number}": path.read_bytes() for pattern, paths in found.items() for number, path in enumerate(paths)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the results of one process that ran all pipelines of the chain."""
    root = tmp_path_factory.mktemp("undisturbed")
    assert start(root, "--pipelines", ",".join(CHAIN)) == 0
    return results(root)


@pytest.mark.slow  # slow: ten processes, each of which imports everything
def test_killed_and_repeated_pipelines_have_the_results_of_one_run(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    assert start_pipeline(tmp_path, "data_engineering", kill=(CropStore, "shard_writer", 4)) == -signal.SIGKILL
    shards = {name: time for name, time in written(tmp_path).items() if name.endswith(".npy")}
    assert len(shards) >= 3
    assert start_pipeline(tmp_path, "data_engineering") == 0
    assert shards.items() <= written(tmp_path).items(), "finished shards are kept"

    assert start_pipeline(tmp_path, "modelling", kill=(CheckpointStore, "save", 2)) == -signal.SIGKILL
    first_epoch = {name: time for name, time in written(tmp_path).items() if "epoch_0001" in name}
    assert first_epoch
    assert start_pipeline(tmp_path, "modelling") == 0
    assert first_epoch.items() <= written(tmp_path).items(), "training continues after its last checkpoint"
    assert start_pipeline(tmp_path, "evaluation") == 0
    assert results(tmp_path) == undisturbed

    before = written(tmp_path)
    assert [start_pipeline(tmp_path, name) for name in CHAIN] == [0, 0, 0]
    assert written(tmp_path) == before


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    lock = DataFolder(folder).acquire_lock("another task")
    try:
        yield
    finally:
        lock.release()


def test_a_folder_in_use_has_an_exit_code_of_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with locked(tmp_path / "data"):
        assert start_pipeline(tmp_path, "data_engineering") == IN_USE
        assert written(tmp_path) == {}
    assert "another task" in "".join(capfd.readouterr())
    assert start(tmp_path, "--pipelines", "evaluation", "--only-missing-outputs") == 1, (
        "a missing input, which no repetition adds"
    )
