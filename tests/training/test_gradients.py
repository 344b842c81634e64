"""Tests of posescope.training.gradients on a CPU; CUDA graphs are tested in test_gpu_training.py."""

import pytest
import torch
from torch import nn

from posescope.codecs.base import EncodedTargets
from posescope.training.gradients import EagerGradients
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions


@pytest.mark.parametrize("bf16", [False, True])
def test_loss_and_gradient_by_hand(bf16: bool) -> None:
    # One image of one px, value 2; the network multiplies by w = 3; target 4, weight 1; loss = factor (2 w - 4)^2.
    network = nn.Conv2d(1, 1, kernel_size=1, bias=False)
    nn.init.constant_(network.weight, 3.0)
    gradients = EagerGradients(
        lambda images: [network(images)], MeanSquaredError(MeanSquaredErrorOptions()), bf16, torch.channels_last
    )
    targets = EncodedTargets(torch.full((1, 1, 1, 1), 4.0), torch.ones(1, 1))
    loss = gradients(torch.full((1, 1, 1, 1), 2.0), targets, 0.5)
    assert loss.item() == pytest.approx(0.5 * (6 - 4) ** 2)
    assert not loss.requires_grad
    assert network.weight.grad.item() == pytest.approx(0.5 * 2 * (6 - 4) * 2)
