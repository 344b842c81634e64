"""What of `amp`, `compile` and `cuda_graph` is done on the device at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from posescope.models.base import PoseNetwork
from posescope.training.options import TrainingOptions

__all__ = ["Acceleration", "choose_acceleration", "compile_parts", "eager", "raise_recompile_limit"]

# What torch's compiler asks of a CUDA device (compute capability).
COMPILED_FROM = (7, 0)


@dataclass(frozen=True)
class Acceleration:
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


def choose_acceleration(options: TrainingOptions, device: torch.device) -> Acceleration:
    """What is asked for, and of what is left open (`auto`) what the device can do well."""
    on_gpu = device.type == "cuda"
    return Acceleration(
        bf16=options.amp == "bf16" or (options.amp == "auto" and on_gpu and _knows_bf16()),
        compiled=options.compile is True or (options.compile == "auto" and on_gpu and _can_compile(device)),
        recorded=options.cuda_graph and on_gpu and options.processes == 1,
    )


def _knows_bf16() -> bool:
    """In its circuits, not by way of float32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _can_compile(device: torch.device) -> bool:
    return find_spec("triton") is not None and torch.cuda.get_device_capability(device) >= COMPILED_FROM


# MERGED from compiling: Compiling the training step, part by part.
#
# A stacked hourglass is the same stack over and over, and one compilation serves all that have the same widths and read
# maps of
# the same size, whatever their number; as one graph, eight stacks would be eight times the work. PyTorch calls this
# regional
# compilation. What the parts are, the network says (`PoseNetwork.compiled_parts`).
#
# torch's compiler takes a second to import, so that only those who compile do.

# Parts differ in widths and map sizes, and batches in size by one; torch's own limit of 8 would leave some uncompiled.
MOST_GRAPHS = 64


def compile_parts(network: PoseNetwork) -> None:
    """Compile a network's parts in place, when they are first called.

    Names and values of the weights stay, and a deep copy is not compiled.
    """
    for part in network.compiled_parts():
        part.compile(dynamic=False)


@contextmanager
def raise_recompile_limit() -> Iterator[None]:
    """Within the block, torch compiles as many kinds of parts as there are."""
    config: Any = import_module("torch._dynamo.config")
    # Its name until torch 2.6.
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    with config.patch({limit: MOST_GRAPHS}):
        yield


@contextmanager
def eager() -> Iterator[None]:
    """Within the block nothing is compiled: a validation has batches of other sizes, and is too short to earn it."""
    with torch.compiler.set_stance("force_eager"):
        yield
