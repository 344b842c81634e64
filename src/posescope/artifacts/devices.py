"""Which device a name in the parameters stands for, and how tensors get there without anybody waiting."""

import torch
from torch import Tensor

from posescope.core.errors import OptionsError
from posescope.core.hardware import DEVICE_PATTERN, check_device_name

__all__ = ["DEVICE_PATTERN", "resolve_device", "resolve_gpu", "copy_to_device"]


def resolve_device(name: str) -> torch.device:
    """`auto` (the first CUDA device if there is one, else the CPU), `cpu`, `cuda` or `cuda:1` -> a device that exists.

    Raises:
        OptionsError: if it is another name, or a CUDA device that this machine, or this build of torch, does not have.
    """
    check_device_name(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OptionsError(
            f"device '{name}': torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices here. "
            "Use 'auto' or 'cpu', or install a CUDA build of torch."
        )
    return device


def resolve_gpu(name: str) -> torch.device | None:
    """The CUDA device of that name (as `resolve_device` reads it); none where work in float64 is better left to NumPy.

    That is on the CPU, and on devices that do not know float64 (MPS).

    Raises:
        OptionsError: as `resolve_device`.
    """
    device = resolve_device(name)
    return device if device.type == "cuda" else None


def copy_to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor, on a device; do not write to the original afterwards.

    A plain copy to a GPU waits until the GPU has done all that was asked of it before. From pinned memory the copy is only
    queued, so that the next steps can be queued behind it.
    """
    return tensor.contiguous().pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
