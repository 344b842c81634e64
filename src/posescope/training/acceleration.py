"""Acceleration of training steps: the choice of `amp`, `compile` and `cuda_graph` for a device, and regional compilation.

Mixed precision needs a device that multiplies bf16 numbers natively. Of the CPUs, those with AVX512-BF16 or AMX do (x86), and
those with the BF16 extension (ARM); on others PyTorch emulates bf16, which is slower than float32.

The stacks of a stacked hourglass are identical modules. Regional compilation compiles them separately, so that one compilation
serves all with the same widths and map sizes; as one graph, eight stacks would take eight times as long. The network defines
the regions (`PoseNetwork.compiled_parts`). torch's compiler takes a second to import and is imported only if it is used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from posescope.core.hardware import read_cpu_instructions
from posescope.models.base import PoseNetwork
from posescope.training.options import TrainingOptions

__all__ = ["Acceleration", "choose_acceleration", "compile_parts", "has_native_bf16", "raise_recompile_limit"]

# Compute capability that torch's compiler requires of a CUDA device.
COMPILED_FROM = (7, 0)

# Regions differ in widths and map sizes, and batches in size by one; torch's limit of 8 would leave some uncompiled.
MAX_GRAPHS = 64

# Instruction sets of x86 and of ARM, as Linux names them.
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@dataclass(frozen=True)
class Acceleration:
    """Acceleration of one run.

    Attributes:
        bf16: mixed precision in the forward pass.
        compiled: compiled regions.
        cuda_graph: steps captured as a CUDA graph and replayed.
    """

    bf16: bool
    compiled: bool
    cuda_graph: bool

    def describe(self) -> str:
        """Return a list of what is used, for the log; empty if nothing is."""
        names = {"bf16": "mixed precision (bf16)", "compiled": "compiled stacks", "cuda_graph": "CUDA graph"}
        return ", ".join(text for name, text in names.items() if getattr(self, name))


def choose_acceleration(options: TrainingOptions, device: torch.device) -> Acceleration:
    """Return the acceleration that the options ask for.

    Args:
        options: options of the training; `auto` depends on the device, and is off on a CPU.
        device: device of the training.
    """
    on_gpu = device.type == "cuda"
    return Acceleration(
        bf16=options.amp == "bf16" or (options.amp == "auto" and on_gpu and has_native_bf16(device)),
        compiled=options.compile is True or (options.compile == "auto" and on_gpu and _can_compile(device)),
        cuda_graph=options.cuda_graph and on_gpu and options.process_count == 1,
    )


def has_native_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bf16 numbers natively, without emulation by float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    one_dnn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return one_dnn and bool(read_cpu_instructions() & _BF16_FLAGS)


def compile_parts(network: PoseNetwork) -> None:
    """Compile the regions of a network in place, at their first call.

    Names and values of the weights do not change, and a deep copy is not compiled.
    """
    for part in network.compiled_parts():
        part.compile(dynamic=False)


@contextmanager
def raise_recompile_limit() -> Iterator[None]:
    """Allow `MAX_GRAPHS` compilations of a function within the block."""
    config: Any = import_module("torch._dynamo.config")
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"  # the latter until torch 2.6
    with config.patch({limit: MAX_GRAPHS}):
        yield


def _can_compile(device: torch.device) -> bool:
    return find_spec("triton") is not None and torch.cuda.get_device_capability(device) >= COMPILED_FROM
