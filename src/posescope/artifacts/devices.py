"""Torch devices: resolution of device names, and asynchronous copies."""

import torch
from torch import Tensor

from posescope.core.errors import OptionsError
from posescope.core.hardware import DEVICE_PATTERN, check_device_name

__all__ = ["DEVICE_PATTERN", "resolve_device", "resolve_gpu", "copy_to_device"]


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
