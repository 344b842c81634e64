"""Tests of posescope.models.blocks."""

import math

import pytest
import torch

from posescope.models.blocks import Residual, downsample, initialise_glorot, upsample
from posescope.models.complexity import count_parameters


def test_residual_keeps_the_size_and_changes_the_channels() -> None:
    assert Residual(8, 12, "identity_or_1x1")(torch.zeros(2, 8, 4, 6)).shape == (2, 12, 4, 6)


@pytest.mark.parametrize(("path", "expected"), [("identity_or_1x1", 214_528), ("3x3", 804_608)])
def test_parameters_counted_by_hand(path: str, expected: int) -> None:
    # BN 512; 1x1 256->128: 32,768 + 128; BN 256; 3x3 128->128: 147,456 + 128; BN 256; 1x1 128->256: 32,768 + 256.
    # The 3x3 identity path adds 589,824 + 256.
    assert count_parameters(Residual(256, 256, path)) == expected


def test_residual_with_a_zero_branch_is_the_identity() -> None:
    block = Residual(4, 4, "identity_or_1x1").eval()
    torch.nn.init.zeros_(block.conv3.weight)
    torch.nn.init.zeros_(block.conv3.bias)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(x), x)


def test_input_is_not_changed_by_in_place_relus() -> None:
    x = torch.randn(2, 4, 5, 5)
    before = x.clone()
    Residual(4, 4, "identity_or_1x1")(x).sum().backward()
    assert torch.equal(x, before)


def test_gradients_agree_with_finite_differences() -> None:
    block = Residual(4, 4, "3x3").double().eval()
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (x,), fast_mode=True)


def test_downsampling_is_max_pooling_and_upsampling_repeats() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert downsample(x).tolist() == [[[[4.0]]]]
    assert upsample(x)[0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_glorot_standard_deviation_and_zero_biases() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(64, 32, kernel_size=3)
    initialise_glorot(conv)
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * (64 + 32))), rel=0.02)
    assert not conv.bias.any()
