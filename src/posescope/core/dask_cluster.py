"""A Dask cluster that runs tasks: connected by the address of its scheduler, or started on this machine.

    items --batches--> at most a few batches per thread at the scheduler --> workers --> results, in order

A batch is one key of the scheduler. Only a few batches per thread are there at a time, so neither the scheduler nor the workers
hold many tasks or results, however many items there are. Dask repeats the batches of a lost worker. If the scheduler is lost, the
run ends with one line; what the tasks have written stays.

Dask transfers functions and objects as pickles, so all of its ports belong behind a firewall (docs/how-to/cluster.md).
"""

import itertools
import logging
import math
import queue
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from posescope.core.compute import ComputeOptions
from posescope.core.errors import PosescopeError, pluralise
from posescope.core.extras import install_command
from posescope.core.local_cluster import limit_logs, start_local_cluster
from posescope.core.worker_tasks import (
    Shared,
    TaskBatch,
    TaskFailure,
    WorkerVersionError,
    batch_items,
    describe_differences,
    keep_shared,
    try_batch,
    version_fault,
    versions_here,
)

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

__all__ = ["MAX_KEYS", "ClusterError", "ClusterUnavailableError", "DaskCluster", "open_cluster"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# Dask's scheduler takes about 1 ms per key; far fewer keys than this are ever there at a time.
MAX_KEYS = 10_000
_BATCHES_PER_THREAD = 3  # one that runs and two that wait, so that no thread waits for the network
_POLL_S = 1.0
_CLOSE_S = 5.0
_LARGEST_SHARED = "16 GiB"  # no warning of Dask about a large graph: the shared objects are sent once

_log = logging.getLogger(__name__)


class ClusterError(PosescopeError):
    """A Dask cluster cannot be used."""


class ClusterUnavailableError(ClusterError):
    """A Dask cluster cannot be reached, was lost or has no workers."""

    may_pass = True


@dataclass
class DaskCluster:
    """An open connection to a Dask scheduler.

    Attributes:
        client: the connection.
        options: options of the namespace `compute`.
        local: the cluster if it was started here; it ends with the connection.
        preparations: functions that a worker calls before each batch, see `TaskBatch`.
    """

    client: "Client"
    options: ComputeOptions
    local: "LocalCluster | None" = None
    preparations: tuple[Callable[[], None], ...] = ()
    _threads: int = 1
    _seen_workers_s: float = field(default_factory=time.monotonic)
    _asked_s: float = -math.inf

    @property
    def address(self) -> str:
        """Address of the scheduler."""
        return self.options.scheduler or "the local Dask scheduler"

    def map(
        self,
        function: Callable[..., ResultT],
        items: Iterable[ItemT],
        *,
        shared: tuple[Any, ...] = (),
        batch_size: int = 1,
        ordered: bool = True,
    ) -> Iterator[ResultT]:
        """Yield `function(item, *shared)` for every item; see `posescope.core.compute.Cluster`.

        Raises:
            ClusterUnavailableError: if the scheduler or all workers are lost.
            ClusterError: if a task has ended too many workers.
            WorkerVersionError: if a worker has other versions of the packages.
        """
        self._seen_workers_s = time.monotonic()
        sent = self._send_shared(shared)
        run = _Run(self, function, sent, ordered)
        try:
            yield from run.results(batch_items(items, batch_size))
        finally:
            run.cancel()

    def close(self) -> None:
        """Close the connection, and end the workers that were started here."""
        with suppress(Exception):  # the scheduler may be gone already, and the run ends anyway
            self.client.close(timeout=_CLOSE_S)
        if self.local is not None:
            with suppress(Exception):
                self.local.close(timeout=_CLOSE_S)

    def check_versions(self) -> None:
        """Compare the versions of the packages of all present workers with those of this process.

        Raises:
            WorkerVersionError: with each worker that has others.
        """
        limit_s = self.options.connect_timeout_s  # a worker that is stopped does not answer
        own = versions_here()
        found = self.client.sync(self.client._run, versions_here, on_error="return", callback_timeout=limit_s)
        texts = {
            address: describe_differences(own, versions) if isinstance(versions, dict) else f"no posescope ({versions})"
            for address, versions in found.items()
        }
        if any(texts.values()):
            raise WorkerVersionError(version_fault({address: text for address, text in texts.items() if text}))

    def window(self) -> int:
        """Return how many batches may be at the scheduler now: a few per thread of the present workers.

        Raises:
            ClusterUnavailableError: if the scheduler is lost, or has had no worker for too long.
        """
        now = time.monotonic()
        if now - self._asked_s >= _POLL_S:
            self._asked_s = now
            threads = self._count_threads()
            if threads:
                self._threads, self._seen_workers_s = threads, now
            elif now - self._seen_workers_s > self.options.worker_timeout_s:
                raise ClusterUnavailableError(
                    f"{self.address}: no worker for {self.options.worker_timeout_s:g} s (compute.worker_timeout_s). Start "
                    f"workers (dask worker {self.address}) and run the same command again: what is finished stays."
                )
        return min(MAX_KEYS, _BATCHES_PER_THREAD * self._threads)

    def lost(self, reason: object) -> ClusterError:
        """Return the error for a lost scheduler."""
        text = " ".join(str(reason).split())[:200]
        return ClusterUnavailableError(
            f"{self.address}: the connection to the Dask scheduler was lost ({text}). Start it again with its workers and run "
            "the same command again: what is finished stays."
        )

    def _count_threads(self) -> int:
        try:
            workers = self.info()["workers"]
        except Exception as error:  # Dask raises many kinds here
            raise self.lost(error) from error
        return sum(int(worker["nthreads"]) for worker in workers.values())

    def info(self) -> dict[str, Any]:
        """Return what the scheduler says of itself and its workers; a scheduler that is stopped does not answer.

        Raises:
            TimeoutError: after the option `connect_timeout_s`.
        """
        found: dict[str, Any] = self.client.sync(
            self.client.scheduler.identity, n_workers=-1, callback_timeout=self.options.connect_timeout_s
        )
        return found

    def _send_shared(self, shared: tuple[Any, ...]) -> "Future":
        """Return the future of the shared objects.

        It is the result of a task and not scattered: the scheduler can make it again if the workers that hold it are lost.
        """
        import dask  # noqa: PLC0415

        try:
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGEST_SHARED}):
                return self.client.submit(keep_shared, Shared.of(shared), key=f"shared-{uuid.uuid4().hex}")
        except (OSError, RuntimeError) as error:  # the connection is closed
            raise self.lost(error) from error


class _Run:
    """The batches of one call of `map` that are at the scheduler."""

    def __init__(self, cluster: DaskCluster, function: Callable[..., Any], shared: "Future", ordered: bool) -> None:
        self._cluster, self._function, self._shared, self._ordered = cluster, function, shared, ordered
        self._versions, self._task = versions_here(), getattr(function, "__name__", "task")
        self._name = f"{self._task}-{uuid.uuid4().hex[:8]}"
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._running: dict[Future, int] = {}
        self._waiting: dict[int, list[Any]] = {}  # results of later batches than the next one

    def results(self, batches: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield the results of all batches."""
        numbered = enumerate(batches)
        following = 0
        while True:
            room = self._cluster.window() - len(self._running) - len(self._waiting)
            for number, items in itertools.islice(numbered, max(0, room)):
                self._submit(number, items)
            if not self._running:
                return
            done = self._next_done()
            if done is None:
                continue
            number, values = done
            if not self._ordered:
                yield from values
                continue
            self._waiting[number] = values
            while following in self._waiting:
                yield from self._waiting.pop(following)
                following += 1

    def cancel(self) -> None:
        """Cancel the batches that were not read; a task that runs already is finished by its worker."""
        if self._running and self._cluster.client.status == "running":
            with suppress(Exception):  # the scheduler may be gone
                self._cluster.client.cancel(list(self._running), force=True)
        self._running.clear()

    def _submit(self, number: int, items: tuple[Any, ...]) -> None:
        batch = TaskBatch(self._function, items, self._versions, self._cluster.preparations)
        try:
            future = self._cluster.client.submit(try_batch, batch, self._shared, key=f"{self._name}-{number}", pure=False)
        except (OSError, RuntimeError) as error:
            raise self._cluster.lost(error) from error
        self._running[future] = number
        future.add_done_callback(self._done.put)

    def _next_done(self) -> tuple[int, list[Any]] | None:
        """Return the number and the results of a finished batch; None if there is none within a second."""
        try:
            future = self._done.get(timeout=_POLL_S)
        except queue.Empty:
            return None
        return self._running.pop(future), self._read(future)

    def _read(self, future: "Future") -> list[Any]:
        from distributed.scheduler import KilledWorker  # noqa: PLC0415

        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                count = pluralise(self._cluster.options.allowed_failures + 1, "worker")
                raise ClusterError(
                    f"{self._cluster.address}: {count} ended while they ran the same task of {self._task}, so it may need more "
                    "memory than a worker has (dask worker --memory-limit, or compute.worker_memory_gb). See the logs of the "
                    "workers, and run the same command again: what is finished stays."
                ) from error
            raise error
        if future.status != "finished":
            raise self._cluster.lost(f"a task is {future.status}")
        try:
            found = future.result(timeout=self._cluster.options.worker_timeout_s)
        except Exception as error:  # the result was lost with the connection
            raise self._cluster.lost(error) from error
        if isinstance(found, TaskFailure):
            raise found.error
        values: list[Any] = found
        return values


def open_cluster(options: ComputeOptions, preparations: tuple[Callable[[], None], ...] = ()) -> DaskCluster:
    """Connect to the scheduler of the options, or start a local cluster.

    Args:
        options: with the backend dask.
        preparations: see `DaskCluster`.

    Raises:
        ClusterError: if Dask is not installed, or the address is none.
        ClusterUnavailableError: if the scheduler does not answer in time.
        WorkerVersionError: if a worker has other versions of the packages.
    """
    try:
        from distributed import Client  # noqa: PLC0415
        from distributed.versions import VersionMismatchWarning  # noqa: PLC0415
    except ImportError as error:
        raise ClusterError(
            "compute.backend: expected the package distributed for dask, found none. Install the extra: "
            f"{install_command('distributed')}, or set compute.backend to processes."
        ) from error
    limit_logs()
    local = None if options.scheduler else start_local_cluster(options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # other versions are an error below
            client = Client(local or options.scheduler, timeout=options.connect_timeout_s, set_as_default=False)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        text = " ".join(str(error).split())[:200]
        kind = ClusterUnavailableError if isinstance(error, OSError) else ClusterError
        raise kind(
            f"{options.scheduler}: no Dask scheduler answers ({text}). Expected one for compute.scheduler: start it (dask "
            "scheduler) or correct the address."
        ) from error
    cluster = DaskCluster(client, options, local, preparations)
    try:
        client.run_on_scheduler(_allow_failures, count=options.allowed_failures)
        cluster.check_versions()
        _log_cluster(cluster)
    except PosescopeError:
        cluster.close()
        raise
    except Exception as error:
        cluster.close()
        raise cluster.lost(error) from error
    return cluster


def _allow_failures(count: int, dask_scheduler: Any = None) -> None:
    """Set, in the scheduler, how many workers a task may be lost with."""
    dask_scheduler.allowed_failures = count


def _log_cluster(cluster: DaskCluster) -> None:
    info = cluster.info()
    workers = info["workers"]
    threads = sum(int(worker["nthreads"]) for worker in workers.values())
    shown = f"; dashboard: {cluster.client.dashboard_link}" if "dashboard" in info.get("services", {}) else ""
    _log.info(
        "Dask cluster %s: %s, %s%s", info["address"], pluralise(len(workers), "worker"), pluralise(threads, "thread"), shown
    )
