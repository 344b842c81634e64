"""Tests of posescope.training.optimisers: one step by hand."""

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


def test_adamw_by_hand() -> None:
    # weights shrink by 0.1 * 0.5, then the first step of Adam is the learning rate itself
    assert one_step("adamw", weight_decay=0.5) == pytest.approx(0.95 - 0.1)
