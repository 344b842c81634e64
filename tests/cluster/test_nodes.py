"""Tests of training on several nodes: two agents of torch elastic on loopback, each with a process of its own."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.cluster

PROGRAM = Path(__file__).with_name("train_on_node.py")
# Starting two nodes takes 10 s on idle cores, and minutes beside other tests.
LIMIT_S = 240
OPTIONS = {
    "epochs": 12, "batch_size": 8, "learning_rate": 0.001, "device": "cpu", "threads": 1, "ema_decay": 0.9, "keep_checkpoints": 1,
    "optimiser": {"name": "adamw"}, "image_grid_every_epochs": 0, "augmentations": [{"name": "flip"}],
}  # fmt: skip
ENVIRON = {"GLOO_SOCKET_IFNAME": "lo", "TORCH_CPP_LOG_LEVEL": "ERROR"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Nodes:
    """Starts nodes of a training, and ends all their processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, list[subprocess.Popen[str]]()

    def start(
        self, name: str, rank: int | None, seed: int = 1, launcher: tuple[str, ...] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        environ = {**os.environ, **ENVIRON} | ({} if rank is None else {"POSESCOPE_NODE_RANK": str(rank)})
        text = json.dumps({**OPTIONS, **options})
        # Only node 0 needs the folder; the others name one that must not appear.
        folder = self.folder / (name if not rank else f"{name}_of_node_{rank}")
        torchrun = ("-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1")
        start = [*torchrun, *launcher] if launcher else []
        program = [sys.executable, *start, str(PROGRAM), text, str(folder), str(seed)]
        process = subprocess.Popen(program, env=environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.started.append(process)
        return process

    def start_pair(self, name: str, seeds: tuple[int, int] = (1, 1), **options: Any) -> list[subprocess.Popen[str]]:
        places = {"nodes": 2, "rendezvous": f"127.0.0.1:{free_port()}", "rendezvous_timeout_s": LIMIT_S, "lost_after_s": 10}
        return [self.start(name, rank, seeds[rank], **places | options) for rank in (0, 1)]

    def end_all(self) -> None:
        for process in self.started:
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children(recursive=True)
                for one in (*children, process):
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
            process.communicate()

    def results(self, name: str) -> tuple[bytes, list[list[float]]]:
        weights = (self.folder / f"{name}.safetensors").read_bytes()
        return weights, [losses[:2] for losses in json.loads((self.folder / f"{name}.json").read_text())]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    made = Nodes(tmp_path)
    yield made
    made.end_all()


def end_of(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Wait for the end, and return the exit code and the lines that are no log."""
    _, errors = process.communicate(timeout=LIMIT_S)
    logged = ("INFO:", "WARNING:")
    return process.returncode, [line for line in errors.splitlines() if not line.startswith(logged) and " INFO " not in line]


def wait_for_epoch(folder: Path, epoch: int, pair: list[subprocess.Popen[str]]) -> None:
    """Wait until this epoch or a later one has its checkpoint."""
    deadline = time.monotonic() + LIMIT_S
    while max((int(path.name.removeprefix("epoch_")) for path in folder.glob("*/epoch_*")), default=0) < epoch:
        assert time.monotonic() < deadline
        assert [process.poll() for process in pair] == [None, None], [end_of(process) for process in pair]
        time.sleep(0.01)


def training_process_of(agent: subprocess.Popen[str]) -> psutil.Process:
    """Return the training process of a node, which has the most memory of all children of its agent."""
    return max(psutil.Process(agent.pid).children(), key=lambda one: one.memory_info().rss)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, list[list[float]]]]:
    """Weights and losses of the uninterrupted run on one node of two processes."""
    made = Nodes(tmp_path_factory.mktemp("alone"))
    assert end_of(made.start("alone", None, processes=2))[0] == 0
    yield made.results("alone")
    made.end_all()


def test_two_nodes_of_one_process_equal_one_node_of_two_processes(nodes: Nodes, alone: tuple[bytes, list[list[float]]]) -> None:
    assert [end_of(process) for process in nodes.start_pair("apart")] == [(0, []), (0, [])]
    assert nodes.results("apart") == alone
    assert not list(nodes.folder.glob("*_of_node_1*"))


# The two sequences together kill the agent and the process of both nodes.
@pytest.mark.parametrize(
    "victims",
    [
        ("process of node 1", "agent of node 0"),
        pytest.param(("agent of node 1", "process of node 0"), marks=pytest.mark.slow),  # slow: minutes, like the first one
    ],
)
def test_a_killed_node_ends_the_other_and_the_same_command_resumes(
    nodes: Nodes, alone: tuple[bytes, list[list[float]]], victims: tuple[str, ...]
) -> None:
    rng = random.Random()
    for victim in victims:
        pair = nodes.start_pair("killed")
        wait_for_epoch(nodes.folder / "killed", rng.randint(1, 3) if victim == victims[0] else 6, pair)
        time.sleep(rng.random() * 0.2)
        target, other = pair if victim.endswith("0") else reversed(pair)
        (psutil.Process(target.pid) if victim.startswith("agent") else training_process_of(target)).kill()
        code, lines = end_of(other)
        assert (code, len(lines)) == (1, 1), lines
        assert "Run the same command again on all nodes" in lines[0]
        code, lines = end_of(target)
        if victim.startswith("process"):
            assert (code, len(lines)) == (1, 1), lines
            assert "signal 9" in lines[0]
        else:
            assert code == -signal.SIGKILL
        assert not (nodes.folder / "killed.safetensors").exists()
    assert [end_of(process) for process in nodes.start_pair("killed")] == [(0, []), (0, [])]
    assert nodes.results("killed") == alone


@pytest.mark.slow  # slow: it only replaces our agents by those of torchrun
def test_processes_of_torchrun_equal_one_node_of_two_processes(nodes: Nodes, alone: tuple[bytes, list[list[float]]]) -> None:
    port = str(free_port())
    pair = [nodes.start("apart", None, launcher=("--node-rank", str(rank), "--master-port", port)) for rank in (0, 1)]
    assert [end_of(process)[0] for process in pair] == [0, 0]
    assert nodes.results("apart") == alone


@pytest.mark.slow  # slow: the tests that start nodes may take a minute together
def test_nodes_with_other_data_are_refused(nodes: Nodes) -> None:
    for process in nodes.start_pair("mixed", seeds=(1, 3)):
        code, lines = end_of(process)
        assert (code, len(lines)) == (1, 1), lines
        assert lines[0].startswith("OptionsError: Training processes 1 have other options or data")
    assert not (nodes.folder / "mixed.safetensors").exists()


@pytest.mark.slow  # slow: it waits until a stopped node counts as lost; a test of the rendezvous has a clock of its own
@pytest.mark.parametrize("silent", [0, 1])
def test_a_node_that_falls_silent_ends_the_other(nodes: Nodes, silent: int) -> None:
    pair = nodes.start_pair("silent", epochs=500)
    wait_for_epoch(nodes.folder / "silent", 1, pair)
    stopped = [psutil.Process(pair[silent].pid), *psutil.Process(pair[silent].pid).children(recursive=True)]
    for process in stopped:  # a machine without power sends nothing; a stopped process is the nearest to it on loopback
        process.suspend()
    started = time.monotonic()
    code, lines = end_of(pair[1 - silent])
    assert (code, len(lines)) == (1, 1), lines
    assert f"Node {silent} of the training is lost" in lines[0]
    assert time.monotonic() - started < 60


def test_a_node_alone_ends_with_one_line(nodes: Nodes) -> None:
    places = {"nodes": 2, "rendezvous": f"127.0.0.1:{free_port()}", "rendezvous_timeout_s": 2}
    code, lines = end_of(nodes.start("alone", 0, **places))
    assert (code, len(lines)) == (1, 1), lines
    assert "have not met" in lines[0]


@pytest.mark.slow  # slow: two whole runs of Kedro
def test_kedro_run_on_two_nodes_has_the_model_of_one_node(tmp_path: Path) -> None:
    def start(folder: Path, rank: int | None, **params: Any) -> subprocess.Popen[str]:
        environ = {**os.environ, **ENVIRON} | ({} if rank is None else {"POSESCOPE_NODE_RANK": str(rank)})
        shown = ",".join(f"modelling.training.{name}={value}" for name, value in params.items())
        program = [
            *(sys.executable, "-m", "kedro", "run", "--env", "test", "--pipelines", "data_engineering,modelling"),
            *("--params", f"data_dir={folder},raw_dir={folder}/raw,{shown}"),
        ]
        return subprocess.Popen(
            program, cwd=PROGRAM.parents[2], env=environ, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
        )

    alone = start(tmp_path / "alone", None, processes=2)
    assert (alone.communicate()[0], alone.returncode)[1] == 0
    places = {"nodes": 2, "rendezvous": f"127.0.0.1:{free_port()}"}
    pair = [start(tmp_path / "apart", rank, **places) for rank in (1, 0)]
    logs = [process.communicate(timeout=LIMIT_S)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], logs
    models = [next((tmp_path / name / "06_models" / "model").rglob("model.safetensors")) for name in ("alone", "apart")]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert (models[0].with_name("model.json")).read_bytes() == (models[1].with_name("model.json")).read_bytes()
    assert len(list((tmp_path / "apart" / "08_reporting" / "runs").glob("*/run.json"))) == 1  # node 1 leaves no record
