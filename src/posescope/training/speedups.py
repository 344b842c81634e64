"""What of `amp`, `compile` and `cuda_graph` is done on the device at hand."""

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from posescope.training.options import TrainingOptions

__all__ = ["Speedups", "choose_speedups"]

# What torch's compiler asks of a CUDA device (compute capability).
COMPILED_FROM = (7, 0)


@dataclass(frozen=True)
class Speedups:
    """Of one run.

    Attributes:
        bf16: the forward pass is in mixed precision.
        compiled: the network's parts are compiled.
        recorded: a step is recorded and replayed.
    """

    bf16: bool
    compiled: bool
    recorded: bool

    def words(self) -> str:
        """In a sentence's place; empty if there are none."""
        names = {"bf16": "mixed precision (bf16)", "compiled": "compiled parts", "recorded": "recorded steps"}
        return ", ".join(words for name, words in names.items() if getattr(self, name))


def choose_speedups(options: TrainingOptions, device: torch.device) -> Speedups:
    """What is asked for, and of what is left open (`auto`) what the device can do well."""
    on_gpu = device.type == "cuda"
    return Speedups(
        bf16=options.amp == "bf16" or (options.amp == "auto" and on_gpu and _knows_bf16()),
        compiled=options.compile is True or (options.compile == "auto" and on_gpu and _can_compile(device)),
        recorded=options.cuda_graph and on_gpu and options.processes == 1,
    )


def _knows_bf16() -> bool:
    """In its circuits, not by way of float32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _can_compile(device: torch.device) -> bool:
    return find_spec("triton") is not None and torch.cuda.get_device_capability(device) >= COMPILED_FROM
