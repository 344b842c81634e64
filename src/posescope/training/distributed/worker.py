"""What all training processes have in common that a launcher starts: their task, device, log, and reports of errors.

The task goes from the launcher to its processes on the same machine. Crops are sent as names of files, which each process opens
itself.
"""

import logging
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from tqdm import tqdm

from posescope.core.errors import PosescopeError
from posescope.core.files import read_json, write_json
from posescope.core.hardware import available_cpus
from posescope.core.text_escaping import EscapingFormatter
from posescope.training.epoch_loop import TrainingJob

__all__ = [
    "LostProcessError", "MissingNodeError", "TrainingProcessError", "WorkerTask", "name_lost_connections", "take_device",
]  # fmt: skip


class TrainingProcessError(PosescopeError):
    """A training process died, or the processes cannot be started."""


class LostProcessError(TrainingProcessError):
    """The connection to another training process broke."""

    may_pass = True


class MissingNodeError(TrainingProcessError):
    """Another node of the training did not start in time."""

    may_pass = True


@dataclass(frozen=True)
class WorkerTask:
    """What a launcher sends to each of its processes.

    Attributes:
        pickled_job: the training job, pickled by the launcher on the same machine.
        device_type: cpu or cuda.
        log_level: level of the log of the main process.
        reports: folder of the error reports, of the launcher.
    """

    pickled_job: bytes
    device_type: str
    log_level: int
    reports: Path

    @classmethod
    def of(cls, job: TrainingJob, device: torch.device, reports: Path) -> "WorkerTask":
        """Return the task of a job; the log level is that of this process."""
        return cls(pickle.dumps(job), device.type, logging.getLogger("posescope").getEffectiveLevel(), reports)

    def load_job(self) -> TrainingJob:
        """Return the job."""
        job: TrainingJob = pickle.loads(self.pickled_job)  # noqa: S301 (from the parent process, passed in memory)
        return job

    def start_log(self, is_main: bool) -> None:
        """Log to stderr; processes other than the main one log errors only.

        Progress bars get a lock of this process. Their own lock is a semaphore of the system, which a killed process leaves
        behind and Python warns of on two lines.
        """
        tqdm.set_lock(threading.RLock())
        handler = logging.StreamHandler()
        handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"))
        logging.basicConfig(handlers=[handler])
        logging.getLogger("posescope").setLevel(self.log_level if is_main else logging.ERROR)

    def report(self, rank: int, error: PosescopeError) -> None:
        """Write an error for the launcher.

        Args:
            rank: rank of this process.
            error: error of posescope.
        """
        write_json(self._path(rank), {"kind": type(error).__name__, "message": str(error)})

    def read_report(self, rank: int) -> PosescopeError | None:
        """Return the error that a process reported; None if it reported none."""
        if not self._path(rank).is_file():
            return None
        found = read_json(self._path(rank))
        return _error_classes().get(found["kind"], PosescopeError)(found["message"])

    def _path(self, rank: int) -> Path:
        return self.reports / f"error_{rank}.json"


def take_device(device_type: str, local_rank: int, local_count: int, threads: int) -> torch.device:
    """Return the device of a process, and set the number of its threads on a CPU.

    Args:
        device_type: cpu or cuda.
        local_rank: index of the process on its machine, and of its CUDA device.
        local_count: number of training processes on the machine, which share its CPUs.
        threads: option `threads`; 0: an equal share of the CPUs.
    """
    if device_type == "cuda":
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
        return device
    if not threads:
        torch.set_num_threads(max(1, available_cpus() // local_count))
    return torch.device("cpu")


@contextmanager
def name_lost_connections() -> Iterator[None]:
    """Raise the errors of torch about a connection to another process as errors of posescope.

    Raises:
        LostProcessError: A connection broke or timed out.
    """
    try:
        yield
    except RuntimeError as error:
        # gloo raises a plain RuntimeError, which names its source file.
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        reason = str(error).strip().splitlines()[0].rpartition("] ")[2][:200]
        raise LostProcessError(
            f"The connection to another training process broke ({reason}): a process or a machine has ended. Run the same "
            "command again on all nodes to resume the run."
        ) from error


def _error_classes() -> dict[str, type[PosescopeError]]:
    """Return the error classes of posescope by name, except those with arguments besides the message."""
    found = _subclasses(PosescopeError)
    return {kind.__name__: kind for kind in found if kind.__init__ is PosescopeError.__init__}


def _subclasses(kind: type[PosescopeError]) -> list[type[PosescopeError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _subclasses(child))]
