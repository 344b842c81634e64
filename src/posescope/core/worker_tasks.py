"""The part of a cluster that runs in its workers: checks of the worker, and batches of tasks.

A worker may join during a run. Therefore the versions of the packages that determine results are compared for every batch.
"""

import platform
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any, TypeVar

from posescope.core.errors import PosescopeError

__all__ = [
    "Shared", "TaskBatch", "TaskError", "TaskFailure", "WorkerVersionError", "batch_items", "describe_differences", "keep_shared",
    "run_batch", "try_batch", "version_fault", "versions_here",
]  # fmt: skip

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# They decode, resize, compute and transfer the results; others do not change a result.
_PACKAGES = (
    "posescope", "numpy", "pandas", "torch", "opencv-python-headless", "simplejpeg", "pillow", "dask", "distributed",
)  # fmt: skip


class WorkerVersionError(PosescopeError):
    """A worker has another version of a package than the run."""


class TaskError(PosescopeError):
    """A task failed, and its error or its result cannot be sent to the process of the run."""


@dataclass(frozen=True)
class TaskFailure:
    """What a worker returns in place of the results of a batch, so that it does not log the error with a traceback.

    Attributes:
        error: the error, which can be pickled; an unexpected one has the traceback of the worker as a note.
    """

    error: Exception


@dataclass(frozen=True)
class TaskBatch:
    """Tasks that one worker runs one after the other.

    Attributes:
        function: function of one item and the shared objects.
        items: the items.
        versions: versions of the packages of the run, see `versions_here`.
        preparations: functions without arguments that are called in the worker first, such as one that opens a remote folder.
    """

    function: Callable[..., Any]
    items: tuple[Any, ...]
    versions: Mapping[str, str]
    preparations: tuple[Callable[[], None], ...] = ()


class Shared:
    """Objects that all tasks get. A worker keeps their bytes, and reads the objects from them once.

    A worker sends the bytes to other workers while a task uses the objects. It must not send the objects: the hooks that a task
    registers in a network would be sent with it.

    Args:
        pickled: the objects, by Dask's own serialisation.
    """

    def __init__(self, pickled: bytes) -> None:
        self._pickled, self._reading = pickled, threading.Lock()
        self._objects: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, objects: tuple[Any, ...]) -> "Shared":
        """Return the shared objects as they are now."""
        from distributed.protocol.pickle import dumps  # noqa: PLC0415  (only a cluster needs it)

        return cls(dumps(objects))

    def __reduce__(self) -> tuple[Any, ...]:
        return Shared, (self._pickled,)

    def objects(self) -> tuple[Any, ...]:
        """Return the objects, the same ones for all tasks of this process."""
        from distributed.protocol.pickle import loads  # noqa: PLC0415

        with self._reading:
            if self._objects is None:
                self._objects = loads(self._pickled)
            return self._objects


@cache
def _versions_here() -> tuple[tuple[str, str], ...]:
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _PACKAGES:
        try:
            # A local label names the build of a version, such as +cpu.
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = "missing"
    return tuple(found.items())


def versions_here() -> dict[str, str]:
    """Return the versions of Python and of the packages that determine results, without an import of them."""
    return dict(_versions_here())


def describe_differences(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return the versions that differ, in one line; empty if none does.

    Args:
        expected: versions of the run.
        found: versions of a worker.

    Example:
        >>> describe_differences({"numpy": "2.4.1", "torch": "2.9"}, {"numpy": "2.3.0", "torch": "2.9"})
        'numpy 2.3.0 (here 2.4.1)'
    """
    return ", ".join(
        f"{name} {found.get(name, 'missing')} (here {own})" for name, own in expected.items() if found.get(name) != own
    )


def keep_shared(shared: Shared) -> Shared:
    """Return the shared objects; as the result of a task they stay in the workers."""
    return shared


def batch_items(items: Iterable[ItemT], size: int) -> Iterator[tuple[ItemT, ...]]:
    """Yield the items in batches, read only when a batch is needed.

    Example:
        >>> list(batch_items("abc", 2))
        [('a', 'b'), ('c',)]
    """
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch


def run_batch(batch: TaskBatch, shared: Shared) -> list[Any]:
    """Run the tasks of a batch, and return their results in order.

    Args:
        batch: the tasks.
        shared: further arguments of the function, the same for all batches.

    Raises:
        WorkerVersionError: if this worker has other versions than the run.
    """
    differences = describe_differences(batch.versions, versions_here())
    if differences:
        raise WorkerVersionError(version_fault({socket.gethostname(): differences}))
    for prepare in batch.preparations:
        prepare()
    objects = shared.objects()
    return [batch.function(item, *objects) for item in batch.items]


def try_batch(batch: TaskBatch, shared: Shared) -> list[Any] | TaskFailure:
    """Run the tasks of a batch, and return their results in order, or the first error.

    Args:
        batch, shared: see `run_batch`.
    """
    task = getattr(batch.function, "__name__", "task")
    try:
        results = run_batch(batch, shared)
        _check_result(results, task)
    except Exception as error:  # raised again in the process of the run
        return TaskFailure(_sendable(error, task))
    return results


def _check_result(results: list[Any], task: str) -> None:
    from distributed.protocol.pickle import dumps  # noqa: PLC0415  (only a cluster needs it)

    try:
        dumps(results, buffer_callback=lambda _: None)  # arrays are not copied
    except Exception as error:
        raise TaskError(f"{task}: expected a result that can be pickled, found another ({_in_one_line(error)}).") from error


def _sendable(error: Exception, task: str) -> Exception:
    """Return the error, or one that names it if it cannot be pickled and read again, or would end the generator of results."""
    if not isinstance(error, PosescopeError):
        error.add_note("Traceback in the worker:\n" + "".join(traceback.format_exception(error)))
    try:
        _check_error(error, task)
    except TaskError as named:
        return TaskError(str(named))  # without its cause, which would be sent with it
    return error


def _check_error(error: Exception, task: str) -> None:
    from distributed.protocol.pickle import dumps, loads  # noqa: PLC0415

    failed = f"{task} failed in a Dask worker: {_in_one_line(error)}"
    try:
        is_same = isinstance(loads(dumps(error)), type(error))
    except Exception as fault:
        raise TaskError(f"{failed}; the error itself cannot be sent: {_in_one_line(fault)}.") from error
    if not is_same or isinstance(error, StopIteration):
        raise TaskError(f"{failed}.") from error


def _in_one_line(error: Exception) -> str:
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return text if len(text) <= 500 else f"{text[:500]} ..."


def version_fault(differences: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Return the message for workers with other versions.

    Args:
        differences: address or name of each worker, and the text of `describe_differences`.
    """
    listed = "; ".join(f"{worker}: {text}" for worker, text in dict(differences).items())
    return (
        f"Dask workers: expected the versions of this process, since others may give other results; found {listed}. Install the "
        "same requirements.lock on all machines and start these workers again."
    )
