"""A Dask cluster on this machine: its processes, their memory and what they log."""

import logging
from typing import TYPE_CHECKING, Any

from posescope.core.compute import ComputeOptions
from posescope.core.hardware import available_cpus, available_memory

if TYPE_CHECKING:
    from distributed import LocalCluster

__all__ = ["MALLOC_ENVIRONMENT", "limit_logs", "start_local_cluster"]

# For workers before they start. A value in the environment of the run has priority.
MALLOC_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": 268_435_456, "MALLOC_MMAP_THRESHOLD_": 33_554_432}


def limit_logs() -> None:
    """Limit what Dask logs in this process to what an error of the run does not say."""
    logging.getLogger("distributed").setLevel(logging.WARNING)
    # An error of the connection is raised in one line; Dask would log it too, with a traceback. At the end of a run, the
    # processes that watch local workers report those that they have to kill. What they report of the memory is another logger's.
    for name in ("batched", "client", "comm", "core", "nanny", "utils"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
    for name in ("nanny", "worker"):
        logging.getLogger(f"distributed.{name}.memory").setLevel(logging.WARNING)


def start_local_cluster(options: ComputeOptions) -> "LocalCluster":
    """Start a scheduler and workers of one thread each, on the loopback interface of this machine.

    Args:
        options: with the backend dask. By default there is a worker for each processor, and they share the free memory.
    """
    import dask  # noqa: PLC0415
    from distributed import LocalCluster  # noqa: PLC0415

    workers = options.workers or available_cpus()
    memory = options.worker_memory_gb * 1e9 if options.worker_memory_gb else available_memory() / workers
    # Dask's profiler stops a running task a hundred times a second; workers inherit the setting.
    settings: dict[str, Any] = {"distributed.worker.profile.enabled": False}
    # With the settings of Dask, memory goes back to the system at once, and every decoded image is mapped anew: 20 % of cropping.
    environment = "distributed.nanny.pre-spawn-environ"
    settings[environment] = {**dask.config.get(environment), **MALLOC_ENVIRONMENT}
    with dask.config.set(settings):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=int(memory),
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,  # a failed task is raised here; its worker would log it too
        )
