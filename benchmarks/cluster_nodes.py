"""Training on two nodes of one process against one node of two processes, in steps per second on loopback.

    python benchmarks/cluster.py nodes [--rounds 3] [--epochs 6]

Both train the same small network on a CPU in two processes with gloo; they differ in the launcher alone: two agents of torch
elastic, or one spawning parent. They run alternately. A step is timed by the records of the epochs, without the first one.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[1] / "tests" / "cluster" / "train_on_node.py"
PERSONS, BATCH_SIZE = 43, 8  # of the program
OPTIONS = {"batch_size": BATCH_SIZE, "learning_rate": 0.001, "device": "cpu", "threads": 1, "image_grid_every_epochs": 0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this measurement."""
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each kind")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of a training, at least 2")


def main(arguments: argparse.Namespace) -> None:
    """Measure both kinds alternately and print their rates."""
    rates: dict[str, list[float]] = {"two nodes of one process": [], "one node of two processes": []}
    with tempfile.TemporaryDirectory(prefix="posescope_nodes_") as folder:
        for number in range(arguments.rounds):
            for name, nodes in zip(rates, (2, 1), strict=True):
                rate = _measure(Path(folder) / f"{number}_{nodes}", nodes, arguments.epochs)
                rates[name].append(rate)
                print(f"{name}: {rate:.2f} steps/s", flush=True)
    two, one = (statistics.median(found) for found in rates.values())
    print(json.dumps({"steps_per_s": rates, "ratio_of_medians": round(two / one, 3)}))


def _measure(folder: Path, nodes: int, epochs: int) -> float:
    """Train once and return the steps per second."""
    options: dict[str, Any] = {**OPTIONS, "epochs": epochs, "processes": 2 // nodes, "nodes": nodes}
    if nodes > 1:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            options["rendezvous"] = f"127.0.0.1:{probe.getsockname()[1]}"
    started = [_start(folder, rank, options) for rank in range(nodes)]
    for process in started:
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(errors)
    seconds = [record[2] for record in json.loads(folder.with_suffix(".json").read_text())]
    return -(-PERSONS // BATCH_SIZE) / statistics.median(seconds[1:])


def _start(folder: Path, rank: int, options: dict[str, Any]) -> "subprocess.Popen[str]":
    environ = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "POSESCOPE_NODE_RANK": str(rank)}
    program = [sys.executable, str(PROGRAM), json.dumps(options), str(folder)]
    return subprocess.Popen(program, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
