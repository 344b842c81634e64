"""Torch devices: resolution of device names, asynchronous copies, and the number of threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from posescope.core.errors import OptionsError
from posescope.core.hardware import DEVICE_PATTERN, check_device_name

__all__ = ["DEVICE_PATTERN", "copy_to_device", "resolve_device", "resolve_gpu", "run_on_threads"]

_RUNNING = threading.Lock()


def resolve_device(name: str) -> torch.device:
    """Return the device of a name: `auto` (the first CUDA device, else the CPU), `cpu`, `cuda` or `cuda:<index>`.

    Raises:
        OptionsError: if the name is invalid, or this machine or build of torch does not have the CUDA device.
    """
    check_device_name(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OptionsError(
            f"device '{name}': not found; torch {torch.__version__} has {torch.cuda.device_count()} CUDA devices. Use 'auto' or "
            "'cpu', or install a CUDA build of torch."
        )
    return device


def resolve_gpu(name: str) -> torch.device | None:
    """Resolve the name of a device; return the CUDA device, or None for CPU and MPS, where NumPy computes in float64.

    Raises:
        OptionsError: as `resolve_device`.
    """
    device = resolve_device(name)
    return device if device.type == "cuda" else None


def copy_to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a CPU tensor to a device; do not modify the original afterwards.

    A plain copy to a GPU waits for all earlier operations. A copy from pinned memory is queued, so that later operations can be
    queued behind it.

    Args:
        tensor: On the CPU.
        device: The target.
    """
    return tensor.contiguous().pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


@contextmanager
def run_on_threads(count: int) -> Iterator[None]:
    """Run torch on a number of CPU threads within this block; only one thread of a process is inside at a time.

    For tasks of a cluster: the last bits of a result depend on the number of threads, so a task takes that of its run. The layers
    of a network are read by hooks, which two tasks of one process must not share.

    Args:
        count: number of threads, at least 1.
    """
    with _RUNNING:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
