"""The loss of each step, looked at when the next step has been asked for, so that a GPU never waits for its host.

    host   ask for 1 ─ ask for 2 ─ read 1 ─ ask for 3 ─ read 2 ─ ...
    GPU               1 ───────── 2 ─────────────────── 3 ─────

A loss that is no number is thus noticed one step late, which loses nothing: what an epoch made is kept only when it is over.
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
    """The loss or the gradient became NaN or infinite."""


@dataclass(frozen=True)
class StepLoss:
    """A finite loss, the mean over so many persons."""

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
    """Holds the figures of the last step until they are asked for."""

    def __init__(self) -> None:
        self._pending: _Pending | None = None

    def follow(self, loss: Tensor, gradient_norm: Tensor, batch: Batch, epoch: int, step: int) -> StepLoss | None:
        """Take the figures of a step, scalars on its device, and give those of the step before, if there was one.

        Raises:
            NonFiniteLossError: if a figure of the step before is NaN or infinite.
        """
        values, ready = _send_home(torch.stack([loss.detach(), gradient_norm.detach()]))
        before, self._pending = self._pending, _Pending(values, ready, batch.person_ids, epoch, step)
        return _read(before) if before else None

    def finish(self) -> StepLoss | None:
        """The figures of the last step, of which none are held any more.

        Raises:
            NonFiniteLossError: if one is NaN or infinite.
        """
        before, self._pending = self._pending, None
        return _read(before) if before else None


def _send_home(values: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """On their way to the CPU's memory, and what tells that they have arrived; values of the CPU are there already."""
    if values.device.type != "cuda":
        return values, None
    home = torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values, non_blocking=True)
    ready: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
    ready.record(torch.cuda.current_stream(values.device))
    return home, ready


def _read(pending: _Pending) -> StepLoss:
    if pending.ready:
        pending.ready.synchronize()
    loss, norm = pending.values.tolist()
    if not (math.isfinite(loss) and math.isfinite(norm)):
        what = f"The loss is {loss}" if not math.isfinite(loss) else f"The loss is {loss}, but the gradient's norm is {norm}"
        persons = ", ".join(str(person) for person in pending.person_ids)
        raise NonFiniteLossError(
            f"{what} in epoch {pending.epoch}, step {pending.step}. Persons of the batch: {persons}. "
            "Look at these crops and their labels; lower learning_rate or set grad_clip. Nothing of this epoch was saved."
        )
    return StepLoss(loss, len(pending.person_ids))
