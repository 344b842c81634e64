"""torch's global random generator, by one thread at a time.

Networks draw their first weights from the generator of the process. Two nodes that a `ThreadRunner` runs at a time would
otherwise draw from one another's sequence.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

__all__ = ["fork_torch_rng"]

_GENERATOR = threading.RLock()  # a thread may enter again: a training builds networks


@contextmanager
def fork_torch_rng(devices: Sequence[int] = ()) -> Iterator[None]:
    """Hold the global generator alone, and put it back as it was afterwards; other threads wait.

    Args:
        devices: numbers of the CUDA devices whose generators are drawn from too.
    """
    with _GENERATOR, torch.random.fork_rng(devices=list(devices)):
        yield
