"""Launcher of training in several processes of one machine; `process_group` describes how they share the work.

    train ─ run_in_processes ─┬─ process 0: run_epochs ─ checkpoints, image grids, log ─> read by train
                              └─ process 1: run_epochs

The processes are spawned without Kedro and receive the job as an argument. They rendezvous by a file in a temporary folder
(`FileStore`) and communicate over the loopback interface: no port is open to other machines, and no data from a socket is
unpickled. If a process fails, the others are terminated and its error is raised here. They also end with their parent process.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore

from posescope.core.errors import PosescopeError
from posescope.core.files import read_json, write_json
from posescope.core.hardware import available_cpus
from posescope.core.text_escaping import EscapingFormatter
from posescope.training.distributed.process_group import ProcessGroup
from posescope.training.epoch_loop import TrainingJob, run_epochs

__all__ = ["TrainingProcessError", "run_in_processes"]

log = logging.getLogger(__name__)

# Time for other processes to fail and report after one has failed, and to end after SIGTERM.
_GRACE_S = 5.0
_LOOPBACK_NAMES = ("lo", "lo0")  # Linux, macOS


class TrainingProcessError(PosescopeError):
    """A training process died, or the processes cannot be started."""


class _RemoteTracebackError(Exception):
    """Traceback of another process as text, the cause of the error that is raised for it."""


@dataclass(frozen=True)
class _Failure:
    """Report of a failed process.

    Attributes:
        at_s: `time.time()` of the failure.
        kinds: names of the error's class and its base classes, nearest first.
        message: message of the error.
        traceback: traceback as printed by Python.
    """

    at_s: float
    kinds: Sequence[str]
    message: str
    traceback: str


def run_in_processes(job: TrainingJob, device: torch.device) -> None:
    """Run `run_epochs` in `job.options.processes` processes.

    Args:
        job: the training job.
        device: device of the training; on CUDA each process has its own device, on a CPU they share the cores.

    Raises:
        PosescopeError: A process raised it; the class is the same.
        TrainingProcessError: A process died of another cause.
    """
    count, loopback = job.options.processes, _find_loopback_interface()
    log.info("Training in %d processes.", count)
    with TemporaryDirectory(prefix="posescope_training_") as folder:
        shared = (pickle.dumps(job), device.type, log.getEffectiveLevel(), folder, loopback)
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=_run_process, args=(ProcessGroup(rank, count), *shared)) for rank in range(count)]
        try:
            for process in processes:
                process.start()
            failed = _wait(processes)
        finally:
            _terminate(processes)
        if failed:
            _raise_first(failed, Path(folder))


def _run_process(
    process_group: ProcessGroup, pickled_job: bytes, device_type: str, log_level: int, folder: str, loopback: str
) -> None:
    """Train in one process of the group."""
    _end_with_parent()
    with _report_errors(_report_path(Path(folder), process_group.rank)):
        job: TrainingJob = pickle.loads(pickled_job)  # noqa: S301 (from the parent process, passed in memory)
        handler = logging.StreamHandler()
        handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"))
        logging.basicConfig(handlers=[handler])
        logging.getLogger("posescope").setLevel(log_level if process_group.is_main else logging.ERROR)
        if device_type == "cuda":
            device = torch.device("cuda", process_group.rank)
            torch.cuda.set_device(device)
        else:
            device = torch.device("cpu")
            if not job.options.threads:
                torch.set_num_threads(max(1, available_cpus() // process_group.size))
        _join(process_group, "nccl" if device_type == "cuda" else "gloo", Path(folder), loopback)
        run_epochs(job, device, process_group=process_group)
        dist.destroy_process_group()


def _join(process_group: ProcessGroup, backend: str, folder: Path, loopback: str) -> None:
    """Initialise torch's process group with a file store and connections over the loopback interface only."""
    # By default both libraries listen on the interface of the host name or on all interfaces.
    os.environ["GLOO_SOCKET_IFNAME"] = loopback
    os.environ["NCCL_SOCKET_IFNAME"] = f"={loopback}"  # "=": exactly this name, not all names with this prefix
    os.environ["NCCL_RAS_ENABLE"] = "0"  # a monitoring service with its own port
    store = FileStore(str(folder / "store"), process_group.size)
    dist.init_process_group(backend, store=store, rank=process_group.rank, world_size=process_group.size)


def _find_loopback_interface() -> str:
    names = [name for _, name in socket.if_nameindex()]
    for name in _LOOPBACK_NAMES:
        if name in names:
            return name
    raise TrainingProcessError(
        f"Training processes need a loopback interface: expected {' or '.join(_LOOPBACK_NAMES)}, found "
        f"{', '.join(names) or 'no interface'}. Set modelling.training.processes: 1."
    )


def _end_with_parent() -> None:
    """End this process when its parent ends, and leave Ctrl-C to the parent, which terminates all processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _report_errors(path: Path) -> Iterator[None]:
    """Write an error of the block to a file and end the process with exit code 1."""
    try:
        yield
    except BaseException as error:
        kinds = tuple(kind.__name__ for kind in type(error).__mro__)
        text = "".join(traceback.format_exception(error))
        write_json(path, asdict(_Failure(time.time(), kinds, str(error), text)))
        raise SystemExit(1) from error  # multiprocessing prints no traceback of SystemExit


def _wait(processes: Sequence[SpawnProcess]) -> dict[int, int]:
    """Return the exit codes of failed processes by rank; empty if all processes succeeded."""
    running: dict[Any, int] = {process.sentinel: rank for rank, process in enumerate(processes)}
    failed: dict[int, int] = {}
    deadline: float | None = None
    while running and (deadline is None or time.monotonic() < deadline):
        for sentinel in wait(list(running), timeout=None if deadline is None else 0.1):
            rank = running.pop(sentinel)
            processes[rank].join()
            if code := processes[rank].exitcode:
                failed[rank] = code
                deadline = deadline or time.monotonic() + _GRACE_S
    return failed


def _terminate(processes: Sequence[SpawnProcess]) -> None:
    """Terminate the processes that still run."""
    started = [process for process in processes if process.pid is not None]
    for process in started:
        if process.is_alive():
            process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for process in started:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _raise_first(failed: dict[int, int], folder: Path) -> None:
    """Raise the first failure. A killed process has no report, and the others fail as a consequence, so it comes first."""
    silent = [rank for rank in failed if not _report_path(folder, rank).is_file()]
    if silent:
        raise _process_error(silent[0], failed[silent[0]], "no message")
    failures = {rank: _Failure(**read_json(_report_path(folder, rank))) for rank in failed}
    rank, failure = min(failures.items(), key=lambda item: item[1].at_s)
    cause = _RemoteTracebackError(f"in training process {rank}:\n{failure.traceback}")
    for name in failure.kinds:
        if kind := _error_classes().get(name):
            raise kind(failure.message) from cause
    raise _process_error(rank, failed[rank], f"{failure.kinds[0]}: {failure.message}") from cause


def _process_error(rank: int, exit_code: int, message: str) -> TrainingProcessError:
    how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    return TrainingProcessError(
        f"Training process {rank} ended with {how}: {message}. Run the same command again to resume the run."
    )


def _report_path(folder: Path, rank: int) -> Path:
    return folder / f"failure_{rank}.json"


def _error_classes() -> dict[str, type[PosescopeError]]:
    """Return the error classes of posescope by name, except those with arguments besides the message."""
    found = _subclasses(PosescopeError)
    return {kind.__name__: kind for kind in found if kind.__init__ is PosescopeError.__init__}


def _subclasses(kind: type[PosescopeError]) -> list[type[PosescopeError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _subclasses(child))]
