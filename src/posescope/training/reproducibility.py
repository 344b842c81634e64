"""Reproducible training: seeds and deterministic algorithms, with torch's global state restored afterwards."""

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
    """Return the CPU generator of one step, so that a resumed run samples the same numbers as an uninterrupted one.

    Args:
        seed: seed of the run.
        epoch: number of the epoch, from 1.
        step: index of the step in the run, from 0.
    """
    state = int(np.random.SeedSequence((seed, epoch, step)).generate_state(1, np.uint64)[0])
    return Generator().manual_seed(state >> 1)


@contextmanager
def reproducible(seed: int, device: torch.device, threads: int = 0) -> Iterator[None]:
    """Seed torch's global generators and use deterministic algorithms within the block; restore the state afterwards.

    The state belongs to the process, so only one training may run at a time. An operation without a deterministic form warns.

    Args:
        seed: seed of the global generators.
        device: device of the training.
        threads: CPU threads of torch; 0: the present number, at most one per available CPU.
    """
    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    was_threads, was_benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    memory: Any = torch.utils.deterministic  # its setting is missing in the type stubs
    was_filled = memory.fill_uninitialized_memory
    devices = [device.index or 0] if device.type == "cuda" else []
    with fork_torch_rng(devices):
        try:
            torch.manual_seed(seed)
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.backends.cudnn.benchmark = False
            # Filling new tensors only reveals reads of uninitialised memory, and costs a pass over each.
            memory.fill_uninitialized_memory = False
            torch.set_num_threads(threads or min(was_threads, available_cpus()))
            yield
        finally:
            torch.use_deterministic_algorithms(was[0], warn_only=was[1])
            torch.backends.cudnn.benchmark = was_benchmark
            memory.fill_uninitialized_memory = was_filled
            torch.set_num_threads(was_threads)
