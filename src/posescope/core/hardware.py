"""Compute resources of this process: CPUs and their instructions, thread pools, and the names of devices. Imports no torch.

`os.cpu_count()` counts the CPUs of the machine. A process may have fewer: through its affinity mask (`taskset`, Slurm) or through
the CPU quota of its container (`docker run --cpus 2`). More threads than CPUs make numerical code much slower.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from posescope.core.errors import OptionsError

__all__ = [
    "DEVICE_PATTERN", "INFERENCE_INSTRUCTIONS", "available_cpus", "available_memory", "check_device_name",
    "configure_thread_pools", "count_blas_threads", "limit_blas_threads", "quieten_torch_store", "read_cpu_fields",
    "read_cpu_instructions",
]  # fmt: skip

DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"

# Instructions by which the runtimes choose their kernels of low precision, on x86 and ARM.
INFERENCE_INSTRUCTIONS = (
    "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip

_CPU_INFORMATION = Path("/proc/cpuinfo")
# OpenMP, OpenBLAS and MKL respect the affinity mask by themselves, but not the quota of a container.
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
# Threads of GNU OpenMP spin at a barrier before they sleep, 300,000 iterations by default. If other processes use the same cores,
# a spinning thread takes time from the thread that it waits for (docs/decisions/0022-waiting-at-barriers.md).
_SPIN_COUNT = "10000"
# Folder, limit and present use of the memory cgroup of a container, versions 2 and 1.
_MEMORY_CGROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def available_cpus() -> int:
    """Return the number of CPUs that this process may use, at least 1.

    The affinity mask, the quota of a cgroup (v1 and v2) and the environment variable `LOKY_MAX_CPU_COUNT` count: see
    `joblib.cpu_count`. A quota of a fraction of a CPU is rounded up.
    """
    import joblib  # noqa: PLC0415  (40 ms, which an import of posescope does not need)

    return max(1, int(joblib.cpu_count()))


def read_cpu_fields() -> dict[str, str]:
    """Return the fields of the first processor in /proc/cpuinfo; none on systems without it."""
    try:
        text = _CPU_INFORMATION.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def read_cpu_instructions() -> frozenset[str]:
    """Return the names of the instruction sets of this CPU, as Linux spells them; empty if they are unknown."""
    fields = read_cpu_fields()
    return frozenset((fields.get("flags") or fields.get("Features") or "").split())  # x86, ARM


def available_memory() -> int:
    """Return the bytes of memory that this process can still take without swapping.

    The limits of a cgroup (v1 and v2, `docker run --memory`) count. Memory of the file cache is available.
    """
    import psutil  # noqa: PLC0415  (an import of posescope does not need it)

    free = [int(psutil.virtual_memory().available)]
    for folder, limit_name, used_name in _MEMORY_CGROUPS:
        limit, used = (_read_number(folder / name) for name in (limit_name, used_name))
        if limit is not None and used is not None:
            free.append(max(0, limit - used))
    return min(free)


def _read_number(path: Path) -> int | None:
    """Return the number in a file; None if the file is missing or contains a word (`max`: no limit)."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None


def configure_thread_pools() -> None:
    """Set the environment variables that control the thread pools of numerical libraries, unless the user has set them.

    A pool gets at most one thread per available CPU, and threads of GNU OpenMP spin for a shorter time at barriers.
    The spin time does not change any result.

    Libraries read these variables when they are imported, so an application calls this function first. Child processes inherit
    the variables.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
    cpus = available_cpus()
    if cpus < (os.cpu_count() or 1):
        for name in _THREAD_COUNTS:
            os.environ.setdefault(name, str(cpus))


def quieten_torch_store() -> None:
    """Keep torch's store of a training on several nodes from writing a stack trace when a node ends; our error is one line.

    Call it before torch is imported. Nothing happens unless the environment names a node or a process of torchrun.
    """
    if {"POSESCOPE_NODE_RANK", "SLURM_NODEID", "TORCHELASTIC_RUN_ID"} & set(os.environ):
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def count_blas_threads() -> int:
    """Return the number of threads of NumPy's matrix products, on which their last bits depend."""
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]  # noqa: PLC0415  (reads all loaded libraries)

    return max((int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


@contextmanager
def limit_blas_threads(count: int) -> Iterator[None]:
    """Use a number of threads in NumPy's matrix products within this block.

    Args:
        count: number of threads, such as that of another process with which the results must agree.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(count, user_api="blas"):
        yield


def check_device_name(name: str) -> None:
    """Check that a device name is `auto`, `cpu`, `cuda` or `cuda:<index>`.

    Raises:
        OptionsError: if it is another name.
    """
    if not re.fullmatch(DEVICE_PATTERN, name):
        raise OptionsError(f"device '{name}': expected auto, cpu, cuda or cuda:<index>.")
