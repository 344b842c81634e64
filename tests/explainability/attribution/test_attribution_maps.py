import builtins

import numpy as np
import pytest
import torch
from tests.explainability.attribution.conftest import LinearNetwork
from tests.explainability.conftest import SIDE
from torch import nn

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.attribution.attribution_maps import (
    HeatmapValues,
    MissingCaptumError,
    attribute_gradients,
    attribute_occlusion,
    freeze,
    load_captum,
    randomise_weights,
)


def test_gradients_sum_to_the_difference_from_the_baseline() -> None:
    """Completeness axiom, for a network with in-place operations, pooling and batch norm."""
    torch.manual_seed(0)
    spec = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 2, "bottleneck_residuals": 1})
    network = build("models", spec, crop_size=(SIDE, SIDE), joint_count=2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    frozen = freeze(network)
    assert all(parameter.requires_grad for parameter in network.parameters())
    images, indices = torch.randn(2, 3, SIDE, SIDE) * 0.3, torch.tensor([[0, 63], [9, 30]])
    values = HeatmapValues(frozen, np.array([0, 1]))
    with torch.no_grad():
        added = values(images, indices) - values(torch.zeros_like(images), indices)
    found = attribute_gradients(values, images, indices, steps=100, batch_size=256)
    assert found.shape == (2, 2, SIDE, SIDE)
    scale = added.abs().mean().item()
    np.testing.assert_allclose(found.sum(axis=(2, 3)), added.numpy(), atol=0.02 * scale)


def test_occlusion_equals_the_hand_computed_one() -> None:
    values = HeatmapValues(freeze(LinearNetwork("here")), np.array([0, 1]))
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[0, 0, 8:12, 4:8] = 0.5  # red at heatmap px (row 2, column 1)
    found = attribute_occlusion(values, image, torch.tensor([[17, 0]]), window_px=4, stride_px=4, batch_size=7)
    expected = np.zeros((1, 2, SIDE, SIDE), np.float32)
    expected[0, 0, 8:12, 4:8] = 0.5  # occluded, the peak of 0.5 disappears
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_sum_over_neighbours() -> None:
    network = freeze(LinearNetwork("here"))
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[0, 0] = 1.0
    indices = torch.tensor([[9, 0]])
    assert HeatmapValues(network, np.array([0, 1]), sum_neighbours=True)(image, indices)[0].tolist() == pytest.approx([9.0, 0.0])
    assert HeatmapValues(network, np.array([0, 1]))(image, indices)[0].tolist() == pytest.approx([1.0, 0.0])


def test_randomise_weights_keeps_the_network_and_the_random_state() -> None:
    network = LinearNetwork("here")
    state = torch.random.get_rng_state()
    first, again, other = randomise_weights(network, 1), randomise_weights(network, 1), randomise_weights(network, 2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(network.read.weight, LinearNetwork("here").read.weight)
    assert torch.equal(first.read.weight, again.read.weight)
    assert not torch.equal(first.read.weight, other.read.weight)
    assert not first.read.weight.requires_grad


def test_missing_captum_is_reported(monkeypatch) -> None:
    original = builtins.__import__

    def refuse(name, *rest, **named):
        if name.startswith("captum"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingCaptumError, match="pip"):
        load_captum()
