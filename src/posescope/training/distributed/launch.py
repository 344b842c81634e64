"""Launcher of training in several processes of one machine; `process_group` describes how they share the work.

    train ─ run_in_processes ─┬─ process 0: run_epochs ─ checkpoints, image grids, log ─> read by train
                              └─ process 1: run_epochs

The processes are spawned without Kedro and receive the job as an argument. They rendezvous by a file in a temporary folder
(`FileStore`) and communicate over the loopback interface: no port is open to other machines, and no data from a socket is
unpickled. If a process fails, the others are terminated and its error is raised here. On Linux they also end with their parent.
"""

import logging
import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore
from torch.multiprocessing.spawn import ProcessContext, ProcessException, ProcessExitedException, start_processes

from posescope.core.errors import PosescopeError
from posescope.training.distributed.process_group import ProcessGroup
from posescope.training.distributed.worker import TrainingProcessError, WorkerTask, take_device
from posescope.training.epoch_loop import TrainingJob, run_epochs

__all__ = ["TrainingProcessError", "run_in_processes"]

log = logging.getLogger(__name__)

_LOOPBACK_NAMES = ("lo", "lo0")  # Linux, macOS


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
        task = WorkerTask.of(job, device, Path(folder))
        processes: ProcessContext = start_processes(  # type: ignore[no-untyped-call]
            _run_process, (count, task, loopback), nprocs=count, join=False, daemon=True
        )
        try:
            while not processes.join():
                pass
        except ProcessException as error:
            raise _describe_failure(error, task) from error
        finally:
            for process in processes.processes:
                process.terminate()


def _run_process(rank: int, count: int, task: WorkerTask, loopback: str) -> None:
    """Train in one process of the group; report an error of posescope in a file."""
    process_group = ProcessGroup(rank, count)
    try:
        job = task.load_job()
        task.start_log(process_group.is_main)
        device = take_device(task.device_type, rank, count, job.options.threads)
        _join(process_group, "nccl" if device.type == "cuda" else "gloo", task.reports, loopback)
        run_epochs(job, device, process_group=process_group)
        dist.destroy_process_group()
    except PosescopeError as error:
        task.report(rank, error)
        raise


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


def _describe_failure(error: ProcessException, task: WorkerTask) -> PosescopeError:
    """Return the error that a process reported, or one that says how the process ended."""
    reported = task.read_report(error.error_index)
    if reported:
        return reported
    exit_code = error.exit_code if isinstance(error, ProcessExitedException) else 1
    how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    return TrainingProcessError(
        f"Training process {error.error_index} ended with {how}: {error.msg.strip().splitlines()[-1]}. Run the same command "
        "again to resume the run."
    )
