"""Compiling the training step, part by part.

A stacked hourglass is the same stack over and over, and one compilation serves all that have the same widths and read maps of
the same size, whatever their number; as one graph, eight stacks would be eight times the work. PyTorch calls this regional
compilation. What the parts are, the network says (`PoseNetwork.compiled_parts`).

torch's compiler takes a second to import, so that only those who compile do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch

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
