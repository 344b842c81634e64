"""CPUs that this process may use, and thread pools that keep to them.

`os.cpu_count()` counts the machine's CPUs. A process may use fewer: by its affinity mask (`taskset`, Slurm) or by the CPU
quota of its container (`docker run --cpus 2`). More threads than CPUs slow numerical work down far beyond the lost share.
"""

import os
import re

import joblib

from posescope.core.errors import OptionsError

__all__ = ["available_cpus", "configure_thread_pools", "DEVICE_PATTERN", "check_device_name"]

# OpenMP, OpenBLAS and MKL respect the affinity mask by themselves, but not the quota of a container.
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
# How long GNU OpenMP's threads spin at a barrier before they sleep: 300,000 turns by default. Where other processes use the same
# cores, a spinning thread uses up the time that the thread it waits for needs (docs/decisions/0022-waiting-at-barriers.md).
_SPIN_COUNT = "10000"


def available_cpus() -> int:
    """Return the number of CPUs that this process may use, at least 1.

    The affinity mask and the quota of a cgroup (v1 and v2) count, and so does the environment variable `LOKY_MAX_CPU_COUNT`:
    see `joblib.cpu_count`.

    Returns:
        The number of CPUs; a quota of a part of a CPU is rounded up.
    """
    return max(1, int(joblib.cpu_count()))


def configure_thread_pools() -> None:
    """Set the environment variables that control the thread pools of numerical libraries, where the user has set none.

    Pools get no more threads than there are available CPUs, and threads of GNU OpenMP spin for a shorter time at barriers. The
    results of calculations do not depend on the latter.

    Libraries read these variables when they are imported, so an application calls this first. Child processes inherit them.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
    cpus = available_cpus()
    if cpus < (os.cpu_count() or 1):
        for name in _THREAD_COUNTS:
            os.environ.setdefault(name, str(cpus))


# MERGED from device_names: What devices are called, in the parameters and on the command line. Read without torch.

DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


def check_device_name(name: str) -> None:
    """Accept `auto`, `cpu`, `cuda` and `cuda:1`.

    Raises:
        OptionsError: if it is another name.
    """
    if not re.fullmatch(DEVICE_PATTERN, name):
        raise OptionsError(f"device '{name}': expected auto, cpu, cuda or cuda:<index>.")
