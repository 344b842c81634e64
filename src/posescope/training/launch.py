"""Training in several processes of this machine, by torch's elastic launcher; see `team` for how they share the work.

    train ─ launcher ─┬─ process 0: run_epochs ─ checkpoints, sheets, log ─> read back by train
                      └─ process 1: run_epochs

The processes are new (`spawn`), know no Kedro, and get the job as an argument: as bytes, for a new process that cannot make
out its arguments would leave the launcher waiting for ever, while what `_work` raises comes back. If one fails, the others end.
"""

import logging
import os
import pickle
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure, record
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from posescope.errors import PosescopeError
from posescope.training.run import TrainingJob, run_epochs
from posescope.training.team import Team

__all__ = ["TrainingProcessError", "run_in_processes"]

log = logging.getLogger(__name__)


class TrainingProcessError(PosescopeError):
    """One of several training processes died."""


def run_in_processes(job: TrainingJob, device: torch.device) -> None:
    """`run_epochs` in `job.options.processes` processes; on the CPU they share its cores, on CUDA each has a device.

    Raises:
        PosescopeError: what one of them raised, of the same class.
        TrainingProcessError: if one of them died of something else.
    """
    count = job.options.processes
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",  # not the name by which others know this machine: it need not resolve
        max_restarts=0,
        start_method="spawn",
    )
    log.info("Training in %d processes.", count)
    with _quiet_launcher():
        try:
            elastic_launch(config, _work)(pickle.dumps(job), device.type, log.getEffectiveLevel())
        except ChildFailedError as error:
            raise _named(*error.get_first_failure()) from error


@record
def _work(pickled_job: bytes, device_type: str, log_level: int) -> None:
    """What each process does."""
    job: TrainingJob = pickle.loads(pickled_job)  # noqa: S301 - made by the process that started this one, never a file
    team = Team(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("posescope").setLevel(log_level if team.leads else logging.ERROR)
    if device_type == "cuda":
        device = torch.device("cuda", team.rank)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
        if not job.options.threads:
            torch.set_num_threads(max(1, (os.cpu_count() or 1) // team.size))
    dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
    try:
        run_epochs(job, device, team=team)
    finally:
        dist.destroy_process_group()


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """Without the launcher's own report of a failure, a page of it: what failed is raised, with that report as its cause."""
    launcher = logging.getLogger("torch.distributed.elastic.multiprocessing.api")
    level = launcher.level
    launcher.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        launcher.setLevel(level)


def _named(rank: int, failure: ProcessFailure) -> PosescopeError:
    """What a process raised, by the name in its message; a `TrainingProcessError` if that is no error of ours."""
    text = _text_of(failure)
    name, _, rest = text.partition(": ")
    for kind in _kinds(PosescopeError):
        if kind.__name__ == name and rest:
            return kind(rest)
    how = f"signal {-failure.exitcode}" if failure.exitcode < 0 else f"exit code {failure.exitcode}"
    return TrainingProcessError(
        f"Training process {rank} ended with {how}: {text or 'no message'}. Give the same command again to go on after the last "
        "whole epoch."
    )


def _text_of(failure: ProcessFailure) -> str:
    """`Class: message` of what was raised; torch has it as text or, from its error file, as a dictionary."""
    message: Any = failure.message
    while isinstance(message, dict):
        message = message.get("message", "")
    return str(message)


def _kinds(kind: type[PosescopeError]) -> list[type[PosescopeError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _kinds(child))]
