"""Tests of posescope.models.complexity."""

import torch
from torch import Tensor, nn

from posescope.models.base import PoseNetwork
from posescope.models.complexity import count_macs, count_parameters


class Tiny(PoseNetwork):
    """A strided grouped convolution and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, kernel_size=3, stride=2, padding=1, groups=3)
        self.linear = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.linear(self.conv(images).mean(dim=(2, 3)))]


def test_macs_by_hand() -> None:
    # 4x4 px x 6 channels x (1 input channel per group x 9), then 6 x 2.
    assert count_macs(Tiny(), (8, 8)) == 16 * 6 * 9 + 12


def test_parameters_by_hand_without_frozen_ones() -> None:
    network = Tiny()
    assert count_parameters(network) == 6 * 9 + 6 + 12 + 2
    network.conv.requires_grad_(False)
    assert count_parameters(network) == 14


def test_counting_macs_does_not_change_the_network() -> None:
    network = Tiny().train()
    count_macs(network, (8, 8))
    assert network.training
    assert not network.conv._forward_hooks
    assert torch.isfinite(network(torch.zeros(1, 3, 8, 8))[0]).all()
