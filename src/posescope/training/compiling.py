"""Compiling the training step, part by part.

A stacked hourglass is the same hourglass over and over: one compilation serves all, whatever their number. As one graph, eight
stacks would take many minutes to compile, and gain little more: nearly all that can be fused (batch norm, ReLU, bias, casts,
pooling, additions) lies within a stack. PyTorch calls this regional compilation. What the parts are, the network says
(`PoseNetwork.compiled_parts`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo

from posescope.models.network import PoseNetwork

__all__ = ["compile_parts", "eager", "room_for_parts"]

# Parts differ in widths and map sizes, and batches in size by one; torch's own limit of 8 would leave some uncompiled.
MOST_GRAPHS = 64


def compile_parts(network: PoseNetwork) -> None:
    """Compile a network's parts in place, when they are first called.

    Names and values of the weights stay, and a deep copy is not compiled.
    """
    for part in network.compiled_parts():
        part.compile(dynamic=False)


@contextmanager
def room_for_parts() -> Iterator[None]:
    """Within the block, torch compiles as many kinds of parts as there are."""
    config: Any = torch._dynamo.config
    with config.patch(recompile_limit=MOST_GRAPHS):
        yield


@contextmanager
def eager() -> Iterator[None]:
    """Within the block nothing is compiled: a validation has batches of other sizes, and is too short to earn it."""
    with torch.compiler.set_stance("force_eager"):
        yield
