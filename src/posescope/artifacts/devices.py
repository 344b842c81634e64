"""Which device a name in the parameters stands for."""

import torch

from posescope.errors import OptionsError

__all__ = ["DEVICE_PATTERN", "resolve_device"]

DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


def resolve_device(name: str) -> torch.device:
    """`auto` (the first CUDA device if there is one, else the CPU), `cpu`, `cuda` or `cuda:1` -> a device that exists.

    Raises:
        OptionsError: if a CUDA device is asked for that this machine, or this build of torch, does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OptionsError(
            f"device '{name}': torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices here. "
            "Use 'auto' or 'cpu', or install a CUDA build of torch."
        )
    return device
