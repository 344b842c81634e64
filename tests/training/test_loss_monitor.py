"""Tests of posescope.training.loss_monitor: figures come one step late, and none is lost."""

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


def test_each_loss_comes_with_the_next_step_and_the_last_one_at_the_end() -> None:
    watch, norm = LossMonitor(), torch.tensor(1.0)
    assert watch.finish() is None
    assert watch.follow(torch.tensor(0.5), norm, make_batch(1, 2), 1, 0) is None
    assert watch.follow(torch.tensor(0.25), norm, make_batch(3), 1, 1) == StepLoss(0.5, 2)
    assert watch.finish() == StepLoss(0.25, 1)
    assert watch.finish() is None


@pytest.mark.parametrize(
    ("loss", "norm", "text"), [(torch.nan, 1.0, "The loss is nan"), (0.5, torch.inf, "the gradient's norm is inf")]
)
def test_the_persons_named_are_those_of_the_step_that_failed(loss: float, norm: float, text: str) -> None:
    watch = LossMonitor()
    watch.follow(torch.tensor(loss), torch.tensor(norm), make_batch(7, 8), 3, 41)
    with pytest.raises(NonFiniteLossError, match=rf"{text} in epoch 3, step 41\. Persons of the batch: 7, 8\."):
        watch.follow(torch.tensor(0.1), torch.tensor(1.0), make_batch(9), 3, 42)


def test_a_fault_of_the_last_step_is_told_at_the_end() -> None:
    watch = LossMonitor()
    watch.follow(torch.tensor(torch.nan), torch.tensor(1.0), make_batch(7), 1, 5)
    with pytest.raises(NonFiniteLossError, match="step 5"):
        watch.finish()
