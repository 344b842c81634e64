"""Tests of posescope.training.ema."""

import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.training.ema import ExponentialMovingAverage


def test_by_hand(untrained: PoseModel) -> None:
    network = untrained.network
    average = ExponentialMovingAverage(network, decay=0.5)
    bias = network.stem.conv.bias
    with torch.no_grad():
        bias.fill_(1.0)
    average.update(network, step=0)  # decay min(0.5, 1/10): 0.1 * 0 + 0.9 * 1
    assert average.network.stem.conv.bias[0].item() == pytest.approx(0.9)
    with torch.no_grad():
        bias.fill_(3.0)
    average.update(network, step=10**6)  # decay 0.5
    assert average.network.stem.conv.bias[0].item() == pytest.approx((0.9 + 3.0) / 2)


def test_batch_norm_statistics_are_averaged_and_counters_copied(untrained: PoseModel) -> None:
    network = untrained.network.train()
    average = ExponentialMovingAverage(network, decay=0.9)
    network(torch.randn(4, 3, 64, 64))
    average.update(network, step=10**6)
    norm, averaged = network.stem.norm, average.network.stem.norm
    torch.testing.assert_close(averaged.running_mean, 0.1 * norm.running_mean)
    assert averaged.num_batches_tracked == norm.num_batches_tracked == 1


def test_network_is_not_changed(untrained: PoseModel) -> None:
    before = {name: value.clone() for name, value in untrained.network.state_dict().items()}
    ExponentialMovingAverage(untrained.network, decay=0.9).update(untrained.network, step=3)
    assert all(torch.equal(value, before[name]) for name, value in untrained.network.state_dict().items())
    assert all(parameter.requires_grad for parameter in untrained.network.parameters())
