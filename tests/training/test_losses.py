"""Tests of posescope.training.losses."""

import pytest
import torch

from posescope.codecs.base import EncodedTargets
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions, supervise

LOSS = MeanSquaredError(MeanSquaredErrorOptions())


def test_by_hand_with_weights() -> None:
    predicted, target = torch.zeros(1, 2, 1, 2), torch.tensor([[[[1.0, 3.0]], [[2.0, 0.0]]]])
    # joint 1: (1 + 9) / 2 = 5, weight 2; joint 2: (4 + 0) / 2 = 2, weight 0.5; mean of 10 and 1
    assert LOSS(predicted, target, torch.tensor([[2.0, 0.5]])).item() == 5.5


def test_weights_of_one_give_the_plain_mean() -> None:
    predicted, target = torch.rand(3, 4, 5, 6), torch.rand(3, 4, 5, 6)
    expected = torch.nn.functional.mse_loss(predicted, target)
    torch.testing.assert_close(LOSS(predicted, target, torch.ones(3, 4)), expected)


def test_joint_of_weight_zero_has_no_gradient() -> None:
    predicted = torch.rand(1, 2, 3, 3, requires_grad=True)
    LOSS(predicted, torch.zeros(1, 2, 3, 3), torch.tensor([[0.0, 1.0]])).backward()
    assert not predicted.grad[0, 0].any()
    torch.testing.assert_close(predicted.grad[0, 1], 2 * predicted.detach()[0, 1] / 18)


def test_gradients_agree_with_finite_differences() -> None:
    predicted = torch.rand(2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    target, weight = torch.rand(2, 2, 2, 2, dtype=torch.float64), torch.rand(2, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: LOSS(x, target, weight), (predicted,))


def test_losses_of_stacks_are_summed() -> None:
    targets = EncodedTargets(torch.ones(1, 1, 2, 2), torch.ones(1, 1))
    outputs = [torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 3.0, dtype=torch.bfloat16)]
    assert supervise(outputs, targets, LOSS).item() == pytest.approx(1 + 4)
