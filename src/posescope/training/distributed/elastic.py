"""Launcher of training on several nodes: on each of them an agent of torch elastic starts the processes of that node.

    node 0: kedro run ─ train ─ agent ─┬─ process 0: run_epochs ─ checkpoints, image grids, log ─> read by train
                                │      └─ process 1: run_epochs
    node 1: kedro run ─ train ─ agent ─┬─ process 2: run_epochs
                                       └─ process 3: run_epochs

The agents rendezvous at the address `rendezvous`, where node 0 opens a store. Each node opens the data itself. Nothing is
restarted: if a process or a node is lost, all others end, and the same command resumes the run from its last checkpoint.
"""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from posescope.core.errors import PosescopeError
from posescope.training.distributed.joined_training import train_joined
from posescope.training.distributed.process_group import ProcessGroup
from posescope.training.distributed.watched_rendezvous import BACKEND, register_backend
from posescope.training.distributed.worker import (
    LostProcessError,
    MissingNodeError,
    TrainingProcessError,
    WorkerTask,
    take_device,
)  # fmt: skip
from posescope.training.epoch_loop import TrainingJob
from posescope.training.options import TrainingOptions

__all__ = ["run_on_nodes"]

log = logging.getLogger(__name__)

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
_END_S = 5  # from SIGTERM to SIGKILL


def run_on_nodes(job: TrainingJob, device: torch.device, node: int) -> None:
    """Run `run_epochs` in `options.processes` processes of this node, together with those of the other nodes.

    Args:
        job: the training job, the same on all nodes.
        device: device of the training; on CUDA each process has its own device, on a CPU they share the cores.
        node: rank of this node.

    Raises:
        PosescopeError: A process of this node raised it; the class is the same.
        MissingNodeError: The nodes did not meet in time.
        TrainingProcessError: A process died.
        LostProcessError: A process of another node died.
    """
    options = job.options
    log.info(
        "Training on %d nodes with %d processes each; this is node %d, rendezvous at %s.",
        options.nodes, options.processes, node, options.rendezvous,
    )  # fmt: skip
    register_backend()
    with TemporaryDirectory(prefix="posescope_training_") as folder, _quiet_elastic():
        task = WorkerTask.of(job, device, Path(folder))
        try:
            elastic_launch(_configure(options, node, folder), _run_process)(task, node)
        except ChildFailedError as error:
            raise _describe_failure(error, task) from error
        except dist.DistError as error:
            reason = str(error).splitlines()[0]
            raise MissingNodeError(
                f"{options.rendezvous}: the {options.nodes} nodes have not met ({reason}). Run the same command on all "
                "nodes, and open this port between them."
            ) from error


def _configure(options: TrainingOptions, node: int, folder: str) -> LaunchConfig:
    return LaunchConfig(
        min_nodes=options.nodes,
        max_nodes=options.nodes,
        nproc_per_node=options.processes,
        run_id="posescope",
        rdzv_backend=BACKEND,
        rdzv_endpoint=options.rendezvous or "",
        rdzv_configs={"rank": node, "timeout": options.rendezvous_timeout_s, "lost_after_s": options.lost_after_s},
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=folder),
        signals_to_handle="",  # Ctrl-C stays Python's; the processes end with this one
        shutdown_timeout=_END_S,
    )


def _run_process(task: WorkerTask, node: int) -> None:
    """Train in one process of a node; report an error of posescope in a file."""
    _end_with_parent()
    rank, size, local_rank, local_size = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    )
    process_group = ProcessGroup(rank, size, node)
    try:
        job = task.load_job()
        task.start_log(process_group.is_main)
        device = take_device(task.device_type, local_rank, local_size, job.options.threads)
        train_joined(job, device, process_group)
    except PosescopeError as error:
        task.report(rank, error)
        sys.exit(1)


def _end_with_parent() -> None:
    """End this process with the agent, even if it is killed and this process waits for others; Ctrl-C is for the agent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


@contextmanager
def _quiet_elastic() -> Iterator[None]:
    """Keep torch's agent from logging every failure on many lines: the error that is raised says it in one."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed.elastic")]
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}  # torch sets a level for each of them
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _describe_failure(error: ChildFailedError, task: WorkerTask) -> PosescopeError:
    """Return the error of the process that failed first: reported by it, or how it ended; a lost connection comes last."""
    reports = {rank: report for rank in error.failures if (report := task.read_report(rank))}
    first = next((report for report in reports.values() if not isinstance(report, LostProcessError)), None)
    if first:
        return first
    killed = [(rank, one) for rank, one in error.failures.items() if rank not in reports and one.exitcode != -signal.SIGTERM]
    if killed:
        rank, failure = killed[0]
        how = f"signal {-failure.exitcode}" if failure.exitcode < 0 else f"exit code {failure.exitcode}"
        content: Any = failure.message  # a text, or what torch writes about an exception
        message = content["message"] if isinstance(content, dict) else content
        reason = " ".join(str(message).split())
        return TrainingProcessError(
            f"Training process {rank} ended with {how}: {reason}. Run the same command again on all nodes to resume the run."
        )
    return next(iter(reports.values()), TrainingProcessError("The training processes of this node were ended."))
