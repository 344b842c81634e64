"""Tests of posescope.training.loss_monitor: losses are read one step late, and all are read."""

import numpy as np
import pytest
import torch

from posescope.core.records import PoseTargets
from posescope.training.batches import Batch
from posescope.training.loss_monitor import LossMonitor, NonFiniteLossError, StepLoss


def make_batch(*person_ids: int) -> Batch:
    count = len(person_ids)
    targets = PoseTargets(np.array(person_ids), np.zeros((count, 3, 2), np.float32), np.zeros((count, 3), np.uint8))
    nothing = torch.empty(0)
    return Batch(targets, slice(None), nothing, nothing, nothing)


def test_loss_is_returned_one_step_late_and_the_last_at_the_end() -> None:
    monitor, norm = LossMonitor(), torch.tensor(1.0)
    assert monitor.finish() is None
    assert monitor.record(torch.tensor(0.5), norm, make_batch(1, 2), 1, 0) is None
    assert monitor.record(torch.tensor(0.25), norm, make_batch(3), 1, 1) == StepLoss(0.5, 2)
    assert monitor.finish() == StepLoss(0.25, 1)
    assert monitor.finish() is None


@pytest.mark.parametrize(("loss", "norm", "value"), [(torch.nan, 1.0, "nan"), (0.5, torch.inf, "inf")])
def test_error_names_the_persons_of_the_failed_step(loss: float, norm: float, value: str) -> None:
    monitor = LossMonitor()
    monitor.record(torch.tensor(loss), torch.tensor(norm), make_batch(7, 8), 3, 41)
    with pytest.raises(NonFiniteLossError, match=rf"{value}.*epoch 3, step 41\b.*\b7, 8\b"):
        monitor.record(torch.tensor(0.1), torch.tensor(1.0), make_batch(9), 3, 42)


def test_nan_of_the_last_step_is_raised_at_the_end() -> None:
    monitor = LossMonitor()
    monitor.record(torch.tensor(torch.nan), torch.tensor(1.0), make_batch(7), 1, 5)
    with pytest.raises(NonFiniteLossError, match="step 5"):
        monitor.finish()
