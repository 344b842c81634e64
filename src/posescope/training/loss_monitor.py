"""Monitor of the loss, which reads the loss of a step after the next step is launched, so that a GPU does not wait for the host.

    host   launch 1 ─ launch 2 ─ read 1 ─ launch 3 ─ read 2 ─ ...
    GPU              1 ───────── 2 ────────────────── 3 ─────

A NaN is thus detected one step late, which has no consequence: weights are saved at the end of an epoch.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.core.errors import PosescopeError
from posescope.training.batches import Batch

__all__ = ["NonFiniteLossError", "StepLoss", "LossMonitor"]


class NonFiniteLossError(PosescopeError):
    """The loss or the gradient is NaN or infinite."""


@dataclass(frozen=True)
class StepLoss:
    """Finite loss, the mean over `persons` persons."""

    loss: float
    persons: int


@dataclass(frozen=True)
class _Pending:
    values: Tensor
    ready: torch.cuda.Event | None
    person_ids: NDArray[np.int64]
    epoch: int
    step: int


class LossMonitor:
    """Keeps the loss and the gradient norm of the last step until they are read."""

    def __init__(self) -> None:
        self._pending: _Pending | None = None

    def record(self, loss: Tensor, gradient_norm: Tensor, batch: Batch, epoch: int, step: int) -> StepLoss | None:
        """Record a step and return the loss of the previous step, if there was one.

        Args:
            loss: scalar on the device.
            gradient_norm: scalar on the device.
            batch: the persons of the step.
            epoch: number of the epoch, from 1.
            step: index of the step, from 0.

        Raises:
            NonFiniteLossError: The loss or the gradient norm of the previous step is NaN or infinite.
        """
        values, ready = _copy_to_host(torch.stack([loss.detach(), gradient_norm.detach()]))
        before, self._pending = self._pending, _Pending(values, ready, batch.person_ids, epoch, step)
        return _read(before) if before else None

    def finish(self) -> StepLoss | None:
        """Return the loss of the last step and forget it.

        Raises:
            NonFiniteLossError: The loss or the gradient norm of that step is NaN or infinite.
        """
        before, self._pending = self._pending, None
        return _read(before) if before else None


def _copy_to_host(values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """Start the copy to CPU memory; return it and the event of its completion, None for values on the CPU."""
    if values.device.type != "cuda":
        return values, None
    copied = torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
    ready: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
    ready.record(torch.cuda.current_stream(values.device))
    return copied, ready


def _read(pending: _Pending) -> StepLoss:
    if pending.ready:
        pending.ready.synchronize()
    loss, norm = pending.values.tolist()
    if not (math.isfinite(loss) and math.isfinite(norm)):
        found = f"The loss is {loss}" if not math.isfinite(loss) else f"The loss is {loss}, but the gradient norm is {norm}"
        persons = ", ".join(str(person) for person in pending.person_ids)
        raise NonFiniteLossError(
            f"{found} in epoch {pending.epoch}, step {pending.step}. Persons of the batch: {persons}. "
            "Check these crops and their labels; reduce learning_rate or set grad_clip. This epoch is not saved."
        )
    return StepLoss(loss, len(pending.person_ids))
