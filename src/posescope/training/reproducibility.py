"""The same numbers each time: seeds, deterministic algorithms, and leaving torch's global state as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic
from torch import Generator

from posescope.core.hardware import available_cpus
from posescope.core.torch_rng import fork_torch_rng

__all__ = ["reproducible", "step_generator"]


def step_generator(seed: int, epoch: int, step: int) -> Generator:
    """A CPU generator for one step: a resumed run draws the same numbers without having drawn those before."""
    state = int(np.random.SeedSequence((seed, epoch, step)).generate_state(1, np.uint64)[0])
    return Generator().manual_seed(state >> 1)


@contextmanager
def reproducible(seed: int, device: torch.device, threads: int = 0) -> Iterator[None]:
    """Within the block: seeded global generators, deterministic algorithms, `threads` CPU threads.

    With `threads` 0 the number stays as it is, but at most one per available CPU.

    All of it is as before afterwards, and one training runs at a time: all of it belongs to the process. An operation without a
    deterministic form warns and runs.
    """
    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    was_threads, was_benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    memory: Any = torch.utils.deterministic  # its one setting is unknown to the type stubs
    was_filled = memory.fill_uninitialized_memory
    devices = [device.index or 0] if device.type == "cuda" else []
    with fork_torch_rng(devices):
        try:
            torch.manual_seed(seed)
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.backends.cudnn.benchmark = False
            # Filling each new tensor would only show reads of unset memory, at the price of a pass over it.
            memory.fill_uninitialized_memory = False
            torch.set_num_threads(threads or min(was_threads, available_cpus()))
            yield
        finally:
            torch.use_deterministic_algorithms(was[0], warn_only=was[1])
            torch.backends.cudnn.benchmark = was_benchmark
            memory.fill_uninitialized_memory = was_filled
            torch.set_num_threads(was_threads)
