"""Tests of posescope.training.optimisers: one step by hand."""

import numpy as np
import pytest
import torch

from posescope.plugins import ComponentSpec, build


def one_step(name: str, **options: float) -> float:
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = build("optimisers", ComponentSpec(name=name, options=options), parameters=[weight], learning_rate=0.1)
    weight.grad = torch.tensor([2.0])
    optimiser.step()
    return weight.item()


def test_rmsprop_by_hand() -> None:
    # mean square 0.25 * 4 = 1, so the step is 0.1 * 2 / 1
    assert one_step("rmsprop", alpha=0.75) == pytest.approx(0.8)


def test_rmsprop_has_the_study_decay() -> None:
    # mean square 0.01 * 4 = 0.04, so the step is 0.1 * 2 / 0.2
    assert one_step("rmsprop") == pytest.approx(0.0, abs=1e-6)


def test_rmsprop_follows_the_textbook_with_the_constant_outside_the_root() -> None:
    """Five steps. Where the mean square is small, sqrt(v + eps) in the place of sqrt(v) + eps would be another algorithm."""
    gradients, alpha, eps, rate = np.array([0.5, -0.2, 0.05, 1.5, -0.7]), 0.9, 0.1, 0.01
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    spec = ComponentSpec(name="rmsprop", options={"alpha": alpha, "eps": eps})
    optimiser = build("optimisers", spec, parameters=[weight], learning_rate=rate)
    outside, inside, mean_square = 1.0, 1.0, 0.0
    for gradient in gradients:
        weight.grad = torch.tensor([gradient])
        optimiser.step()
        mean_square = alpha * mean_square + (1 - alpha) * gradient**2
        outside -= rate * gradient / (np.sqrt(mean_square) + eps)
        inside -= rate * gradient / np.sqrt(mean_square + eps)
    assert weight.item() == pytest.approx(outside, rel=1e-12)
    assert abs(outside - inside) > 1e-3


def test_adamw_by_hand() -> None:
    # weights shrink by 0.1 * 0.5, then the first step of Adam is the learning rate itself
    assert one_step("adamw", weight_decay=0.5) == pytest.approx(0.95 - 0.1)


def test_sgd_takes_the_last_step_again() -> None:
    # steps of 0.1 * 2, then of 0.1 * (0.9 * 2 + 2)
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = build("optimisers", ComponentSpec(name="sgd"), parameters=[weight], learning_rate=0.1)
    for expected in (0.8, 0.42):
        weight.grad = torch.tensor([2.0])
        optimiser.step()
        assert weight.item() == pytest.approx(expected)
