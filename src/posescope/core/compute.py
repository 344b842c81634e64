"""Where independent tasks run: in processes of this machine, or on a cluster that the caller has opened.

    with use_cluster(cluster):         # a hook of the run
        write_crops(...)               # a library function, which calls run_in_processes or current_cluster

A task is a function of one item and of objects that all tasks share. Both backends call the same function with the same items and
return the results in the same order, so the results do not depend on the backend.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TypeVar

from pydantic import Field, model_validator

from posescope.core.hardware import available_cpus
from posescope.core.paths import LEASES_VARIABLE, STORAGE_OPTIONS_VARIABLE
from posescope.core.plugins import Options

__all__ = ["Cluster", "ComputeOptions", "StorageOptions", "current_cluster", "run_in_processes", "use_cluster"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class ComputeOptions(Options):
    """Parameters of the namespace `compute`."""

    backend: Literal["processes", "dask"] = Field("processes", description="processes of this machine, or a Dask cluster")
    scheduler: str | None = Field(
        None,
        pattern=r"^(tcp|tls)://[^/\s]+:\d{1,5}$",
        description="Address of a Dask scheduler, such as tcp://host:8786; null: dask starts local worker processes",
    )
    workers: int | None = Field(
        None, ge=1, le=256, description="Number of processes of a local Dask cluster; null: one per available CPU"
    )
    worker_memory_gb: float | None = Field(
        None,
        gt=0,
        le=16_384,
        description="Memory of each worker of a local Dask cluster, in GB; null: its share of the free memory. A worker that "
        "takes 95 % of it is started again",
    )
    allowed_failures: int = Field(
        20,
        ge=0,
        le=1000,
        description="How many workers may be lost while they run the same task before the run ends. Dask allows 3, but a lost "
        "machine is seldom the fault of its task, and every task can be repeated",
    )
    connect_timeout_s: float = Field(30.0, gt=0, le=3600, description="How long a scheduler is waited for, in seconds")
    worker_timeout_s: float = Field(
        120.0, gt=0, le=86_400, description="How long a run waits while its scheduler has no worker, in seconds"
    )

    @model_validator(mode="after")
    def _check_backend(self) -> "ComputeOptions":
        if self.scheduler is not None and self.backend != "dask":
            raise ValueError(f"expected backend dask with a scheduler, found {self.backend} and {self.scheduler}")
        if self.scheduler is not None and (self.workers or self.worker_memory_gb):
            raise ValueError(
                "expected workers and worker_memory_gb for a local cluster only (scheduler: null); the workers of a scheduler "
                "get them when they are started: dask worker --nworkers N --memory-limit SIZE"
            )
        return self


class StorageOptions(Options):
    """Parameters of the namespace `storage`, for data in object storage."""

    cache_gb: float = Field(
        50.0,
        gt=0,
        le=1_000_000,
        description="Limit of the local copies of crops in object storage, in GB; those used least recently are removed",
    )


class Cluster(Protocol):
    """Processes that run tasks, on this machine or on others."""

    def map(
        self,
        function: Callable[..., ResultT],
        items: Iterable[ItemT],
        *,
        shared: tuple[Any, ...] = (),
        batch_size: int = 1,
        ordered: bool = True,
    ) -> Iterator[ResultT]:
        """Yield `function(item, *shared)` for every item; an error of the function is raised here.

        Args:
            function: function of a module that the workers can import.
            items: read lazily, only a little ahead of the results.
            shared: arguments of all items, sent once to each worker.
            batch_size: number of items that are sent together.
            ordered: yield the results in the order of the items; otherwise as they are finished.
        """
        ...


_CLUSTER: ContextVar[Cluster | None] = ContextVar("compute_cluster", default=None)


def current_cluster() -> Cluster | None:
    """Return the cluster that this code runs with; None: this machine alone."""
    return _CLUSTER.get()


@contextmanager
def use_cluster(cluster: Cluster | None) -> Iterator[None]:
    """Run the code of this block with a cluster; None: without one."""
    before = _CLUSTER.set(cluster)
    try:
        yield
    finally:
        _CLUSTER.reset(before)


def run_in_processes(
    function: Callable[..., ResultT],
    items: Iterable[ItemT],
    *,
    shared: tuple[Any, ...] = (),
    workers: int | None = None,
    batch_size: int = 1,
    ordered: bool = True,
) -> Iterator[ResultT]:
    """Yield `function(item, *shared)` for every item, from the workers of the current cluster or from local processes.

    Args:
        function, items, shared, batch_size, ordered: see `Cluster.map`.
        workers: number of local processes; None: one per available CPU. A cluster uses all of its workers.
    """
    cluster = current_cluster()
    if cluster is not None:
        return cluster.map(function, items, shared=shared, batch_size=batch_size, ordered=ordered)
    from joblib import Parallel, delayed  # noqa: PLC0415  (an import of this module need not load it)

    order = "generator" if ordered else "generator_unordered"
    pool = Parallel(n_jobs=workers or available_cpus(), batch_size=batch_size, return_as=order)
    # joblib keeps processes for later calls, with the environment of their start: credentials and leases may have changed since.
    variables = {name: os.environ.get(name) for name in (STORAGE_OPTIONS_VARIABLE, LEASES_VARIABLE)}
    results: Iterator[ResultT] = pool(delayed(_call_with_variables)(variables, function, item, *shared) for item in items)
    return results


def _call_with_variables(variables: Mapping[str, str | None], function: Callable[..., ResultT], *arguments: Any) -> ResultT:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return function(*arguments)
