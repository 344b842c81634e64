"""Launcher of training in several processes of one machine; `process_group` describes how they share the work.

    train ─ run_in_processes ─┬─ process 0: run_epochs ─ checkpoints, image grids, log ─> read by train
                              └─ process 1: run_epochs

The processes are spawned without Kedro and receive the job as an argument. They rendezvous by a file in a temporary folder
(`FileStore`) and communicate over the loopback interface: no port is open to other machines, and no data from a socket is
unpickled. If a process fails, the others are terminated and its error is raised here. On Linux they also end with their parent.
"""

import logging
import os
import pickle
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore
from torch.multiprocessing.spawn import ProcessContext, ProcessException, ProcessExitedException, start_processes

from posescope.core.errors import PosescopeError
from posescope.core.files import read_json, write_json
from posescope.core.hardware import available_cpus
from posescope.core.text_escaping import EscapingFormatter
from posescope.training.distributed.process_group import ProcessGroup
from posescope.training.epoch_loop import TrainingJob, run_epochs

__all__ = ["TrainingProcessError", "run_in_processes"]

log = logging.getLogger(__name__)

_LOOPBACK_NAMES = ("lo", "lo0")  # Linux, macOS


class TrainingProcessError(PosescopeError):
    """A training process died, or the processes cannot be started."""


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
        shared = (count, pickle.dumps(job), device.type, log.getEffectiveLevel(), folder, loopback)
        processes: ProcessContext = start_processes(  # type: ignore[no-untyped-call]
            _run_process, shared, nprocs=count, join=False, daemon=True
        )
        try:
            while not processes.join():
                pass
        except ProcessException as error:
            raise _describe_failure(error, Path(folder)) from error
        finally:
            for process in processes.processes:
                process.terminate()


def _run_process(rank: int, count: int, pickled_job: bytes, device_type: str, log_level: int, folder: str, loopback: str) -> None:
    """Train in one process of the group; report an error of posescope in a file."""
    process_group = ProcessGroup(rank, count)
    try:
        job: TrainingJob = pickle.loads(pickled_job)  # noqa: S301 (from the parent process, passed in memory)
        handler = logging.StreamHandler()
        handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"))
        logging.basicConfig(handlers=[handler])
        logging.getLogger("posescope").setLevel(log_level if process_group.is_main else logging.ERROR)
        if device_type == "cuda":
            device = torch.device("cuda", rank)
            torch.cuda.set_device(device)
        else:
            device = torch.device("cpu")
            if not job.options.threads:
                torch.set_num_threads(max(1, available_cpus() // count))
        _join(process_group, "nccl" if device_type == "cuda" else "gloo", Path(folder), loopback)
        run_epochs(job, device, process_group=process_group)
        dist.destroy_process_group()
    except PosescopeError as error:
        write_json(_report_path(Path(folder), rank), {"kind": type(error).__name__, "message": str(error)})
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


def _describe_failure(error: ProcessException, folder: Path) -> PosescopeError:
    """Return the error that a process reported, or one that says how the process ended."""
    report = _report_path(folder, error.error_index)
    if report.is_file():
        found = read_json(report)
        return _error_classes().get(found["kind"], PosescopeError)(found["message"])
    exit_code = error.exit_code if isinstance(error, ProcessExitedException) else 1
    how = f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
    return TrainingProcessError(
        f"Training process {error.error_index} ended with {how}: {error.msg.strip().splitlines()[-1]}. Run the same command "
        "again to resume the run."
    )


def _report_path(folder: Path, rank: int) -> Path:
    return folder / f"error_{rank}.json"


def _error_classes() -> dict[str, type[PosescopeError]]:
    """Return the error classes of posescope by name, except those with arguments besides the message."""
    found = _subclasses(PosescopeError)
    return {kind.__name__: kind for kind in found if kind.__init__ is PosescopeError.__init__}


def _subclasses(kind: type[PosescopeError]) -> list[type[PosescopeError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _subclasses(child))]
