"""Exclusive use of torch's global random generator."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

__all__ = ["fork_torch_rng"]

_LOCK = threading.RLock()  # reentrant: a training builds networks


@contextmanager
def fork_torch_rng(devices: Sequence[int] = ()) -> Iterator[None]:
    """Use the global generator in one thread at a time, and restore its state afterwards.

    Networks draw their initial weights from the global generator of the process. Without the lock, two nodes that a
    `ThreadRunner` runs at the same time would draw from one sequence, in an order that depends on the threads.

    Args:
        devices: Indices of the CUDA devices whose generators are used too.
    """
    with _LOCK, torch.random.fork_rng(devices=list(devices)):
        yield
