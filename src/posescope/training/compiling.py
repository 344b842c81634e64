"""Compiling the training step, residual by residual.

A stacked hourglass is the same residual over and over: one compilation serves all that have the same widths and read maps of the
same size, five to ten in all, whatever the number of stacks. As one graph, eight stacks take many minutes to compile, and gain
little more: what is fused (batch norm, ReLU, casts, bias) lies within the residuals. PyTorch calls this regional compilation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._dynamo
from torch import nn

from posescope.models.blocks import Residual

__all__ = ["compile_blocks", "eager", "room_for_blocks"]

# Residuals differ in widths and map sizes, and batches in size by one; torch's own limit of 8 would leave some uncompiled.
MOST_GRAPHS = 64


def compile_blocks(network: nn.Module) -> None:
    """Compile a network in place, when it is first called: each `Residual`, or all of it, if it has none.

    Names and values of the weights stay, and a deep copy is not compiled.
    """
    residuals: list[nn.Module] = [module for module in network.modules() if isinstance(module, Residual)]
    for module in residuals or [network]:
        module.compile(dynamic=False)


@contextmanager
def room_for_blocks() -> Iterator[None]:
    """Within the block, torch compiles as many kinds of residuals as there are."""
    config: Any = torch._dynamo.config
    with config.patch(recompile_limit=MOST_GRAPHS):
        yield


@contextmanager
def eager() -> Iterator[None]:
    """Within the block nothing is compiled: a validation has batches of other sizes, and is too short to earn it."""
    with torch.compiler.set_stance("force_eager"):
        yield
