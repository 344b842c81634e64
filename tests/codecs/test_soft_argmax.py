"""Tests of posescope.codecs.soft_argmax."""

import math

import numpy as np
import pytest
import torch

from posescope.codecs.soft_argmax import soft_argmax


def test_mean_place_by_hand() -> None:
    # exp(h) is 1, 2, 1 in the first row and 0 elsewhere but for 4 at (0, 1): x = (0*1 + 1*2 + 2*1 + 0*4) / 8, y = 4 / 8
    maps = torch.tensor([[0.0, math.log(2.0), 0.0], [math.log(4.0), -1e4, -1e4]]).view(1, 1, 2, 3)
    torch.testing.assert_close(soft_argmax(maps, 1.0), torch.tensor([[[0.5, 0.5]]]))
    torch.testing.assert_close(soft_argmax(3 * maps, 3.0), torch.tensor([[[0.5, 0.5]]]))


def test_equal_values_give_the_middle_and_a_low_temperature_the_peak() -> None:
    flat = torch.full((2, 3, 6, 9), 0.4)
    torch.testing.assert_close(soft_argmax(flat, 0.05), torch.tensor([4.0, 2.5]).expand(2, 3, 2))
    flat[0, 0, 5, 0] = 0.5
    torch.testing.assert_close(soft_argmax(flat, 1e-3)[0, 0], torch.tensor([0.0, 5.0]))
    assert soft_argmax(torch.zeros(0, 3, 4, 4), 1.0).shape == (0, 3, 2)


def test_agrees_with_numpy_in_double_precision() -> None:
    maps = torch.rand(4, 2, 7, 5, generator=torch.Generator().manual_seed(0))
    shares = np.exp(maps.double().numpy() / 0.1)
    shares /= shares.sum(axis=(2, 3), keepdims=True)
    rows, columns = np.mgrid[:7, :5]
    expected = np.stack([(shares * columns).sum(axis=(2, 3)), (shares * rows).sum(axis=(2, 3))], axis=-1)
    np.testing.assert_allclose(soft_argmax(maps, 0.1).numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_the_mean_place(layout: torch.memory_format) -> None:
    maps = torch.rand(2, 3, 4, 4).contiguous(memory_format=layout).requires_grad_()
    soft_argmax(maps, 0.5)[..., 0].sum().backward()
    # d x / d h = p (column - x) / temperature
    shares = torch.softmax(maps.detach().flatten(2) / 0.5, dim=2).view(2, 3, 4, 4)
    place = soft_argmax(maps.detach(), 0.5)[..., 0]
    expected = shares * (torch.arange(4.0) - place[..., None, None]) / 0.5
    torch.testing.assert_close(maps.grad, expected)


def test_values_of_large_maps_do_not_overflow() -> None:
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 2, 3] = 1e4
    torch.testing.assert_close(soft_argmax(maps, 1e-2)[0, 0], torch.tensor([3.0, 2.0]))
