"""Tests of posescope.training.optimisers: one step by hand."""

import copy
import math

import numpy as np
import pytest
import torch

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build, check_options
from posescope.training.optimisers import TextbookRMSProp, exclude_from_decay


def one_step(name: str, **options: float | str) -> float:
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = build("optimisers", ComponentSpec(name=name, options=options), parameters=[weight], learning_rate=0.1)
    weight.grad = torch.tensor([2.0])
    optimiser.step()
    return weight.item()


def test_rmsprop_by_hand() -> None:
    # mean square 0.25 * 4 = 1, so the step is 0.1 * 2 / 1
    assert one_step("rmsprop", alpha=0.75) == pytest.approx(0.8)


def test_rmsprop_default_decay_is_the_studys() -> None:
    # mean square 0.01 * 4 = 0.04, so the step is 0.1 * 2 / 0.2
    assert one_step("rmsprop") == pytest.approx(0.0, abs=1e-6)


def test_rmsprop_follows_the_textbook_with_the_constant_outside_the_root() -> None:
    """Five steps. Where the mean square is small, sqrt(v + eps) instead of sqrt(v) + eps would differ."""
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


def test_textbook_rmsprop_by_hand() -> None:
    # mean square 0.25 * 4 = 1; with delta = 3 inside the root the step is 0.1 * 2 / sqrt(3 + 1)
    assert one_step("rmsprop", form="textbook", alpha=0.75, delta=3.0) == pytest.approx(0.9)


def test_textbook_rmsprop_default_delta_is_that_of_the_book() -> None:
    # alpha 0.99, gradient 1e-3: r = 1e-8, the step is 0.1 * 1e-3 / sqrt(1e-6 + 1e-8); PyTorch's form would take 0.1 * 10
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimiser = textbook([weight])
    weight.grad = torch.tensor([1e-3], dtype=torch.float64)
    optimiser.step()
    assert weight.item() == pytest.approx(1 - 1e-4 / math.sqrt(1.01e-6), rel=1e-12)
    assert 1 - weight.item() < 0.1


def test_three_steps_of_algorithm_2_by_hand() -> None:
    """rho = 0.5, delta = 1, eta = 1, gradients 2, 4, 0: r = 2, 9, 4.5."""
    weight = torch.nn.Parameter(torch.tensor([0.0], dtype=torch.float64))
    optimiser = textbook([weight], rate=1.0, alpha=0.5, delta=1.0)
    expected = 0.0
    for gradient, root in ((2.0, math.sqrt(3)), (4.0, math.sqrt(10)), (0.0, math.sqrt(5.5))):
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        expected -= gradient / root
        assert weight.item() == pytest.approx(expected, rel=1e-12)


def test_textbook_rmsprop_with_weight_decay_and_momentum_by_hand() -> None:
    """Gradient 1 + 0.5 * weight; alpha 0, so the step is g / sqrt(delta + g^2); momentum 0.5."""
    weight = torch.nn.Parameter(torch.tensor([4.0], dtype=torch.float64))
    optimiser = textbook([weight], rate=1.0, alpha=0.0, delta=16.0, weight_decay=0.5, momentum=0.5)
    weight.grad = torch.tensor([1.0], dtype=torch.float64)
    optimiser.step()  # g = 3, step 3 / 5
    assert weight.item() == pytest.approx(3.4)
    optimiser.step()  # g = 2.7, step 0.5 * 0.6 + 2.7 / sqrt(16 + 7.29)
    assert weight.item() == pytest.approx(3.4 - 0.3 - 2.7 / math.sqrt(23.29))


def test_forms_agree_where_the_constant_is_small() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(5, 3, 2, 2, generator=generator, dtype=torch.float64)
    weights = [torch.nn.Parameter(start.clone().contiguous(memory_format=torch.channels_last)) for _ in range(2)]
    optimiser_1 = textbook(weights[:1], alpha=0.9, delta=1e-18, momentum=0.3, weight_decay=0.1)
    optimiser_2 = torch.optim.RMSprop(weights[1:], lr=0.1, alpha=0.9, eps=1e-12, momentum=0.3, weight_decay=0.1)
    for _ in range(4):
        gradient = torch.randn(start.shape, generator=generator, dtype=torch.float64)
        for weight, optimiser in zip(weights, (optimiser_1, optimiser_2), strict=True):
            weight.grad = gradient.clone()
            optimiser.step()
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-9, atol=1e-9)
    assert optimiser_1.state[weights[0]]["mean_square"].is_contiguous(memory_format=torch.channels_last)


def test_textbook_rmsprop_takes_scalars_empty_weights_and_weights_without_gradient() -> None:
    scalar, empty, frozen = (torch.nn.Parameter(value) for value in (torch.tensor(1.0), torch.empty(0, 3), torch.ones(2)))
    optimiser = textbook([scalar, empty, frozen], alpha=0.75, delta=3.0)
    scalar.grad, empty.grad = torch.tensor(2.0), torch.empty(0, 3)
    optimiser.step()
    assert scalar.item() == pytest.approx(0.9)
    assert (scalar.shape, empty.shape) == ((), (0, 3))
    assert torch.equal(frozen, torch.ones(2))
    assert frozen not in optimiser.state
    optimiser.zero_grad()
    optimiser.step()  # no weight has a gradient
    assert scalar.item() == pytest.approx(0.9)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "weight_decay": 0.01}])
def test_multi_tensor_update_equals_single_updates(options: dict[str, float]) -> None:
    generator = torch.Generator().manual_seed(2)
    starts = [torch.randn(shape, generator=generator) for shape in ((3, 2), (), (0, 4), (5,))]
    together, singly = ([torch.nn.Parameter(start.clone()) for start in starts] for _ in range(2))
    optimiser_1, optimiser_2 = textbook(together, **options), textbook(singly, **options)
    for _ in range(3):
        for one, other in zip(together, singly, strict=True):
            one.grad = torch.randn(one.shape, generator=generator) * 1e-3
            other.grad = one.grad.clone()
        with torch.no_grad():
            optimiser_1._update(together, optimiser_1.param_groups[0])
        optimiser_2.step()
    assert all(torch.equal(one, other) for one, other in zip(together, singly, strict=True))


def test_textbook_rmsprop_resumes_exactly_from_its_state() -> None:
    generator = torch.Generator().manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(7, 5, generator=generator))
    optimiser = textbook([weight], momentum=0.9)
    gradients = [torch.randn(7, 5, generator=generator) * 1e-3 for _ in range(6)]
    take_steps(optimiser, weight, gradients[:3])
    twin = torch.nn.Parameter(weight.detach().clone())
    restored = textbook([twin], momentum=0.9)
    restored.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    assert restored.param_groups[0]["delta"] == 1e-6
    take_steps(optimiser, weight, gradients[3:])
    take_steps(restored, twin, gradients[3:])
    assert torch.equal(weight, twin)
    fresh = torch.nn.Parameter(torch.zeros(7, 5))
    assert textbook([fresh]).state_dict()["state"] == {}


def test_textbook_rmsprop_obeys_the_rate_of_its_group_and_returns_the_loss_of_a_closure() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = textbook([weight], alpha=0.75, delta=3.0)
    optimiser.param_groups[0]["lr"] = 0.2

    def closure() -> float:
        optimiser.zero_grad()
        loss = (2 * weight).sum()
        loss.backward()
        return loss.item()

    assert optimiser.step(closure) == 2.0
    assert weight.item() == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("options", "form"),
    [({}, torch.optim.RMSprop), ({"form": "torch", "delta": None}, torch.optim.RMSprop), ({"form": "textbook"}, TextbookRMSProp)],
)
def test_default_form_is_that_of_torch(options: dict[str, str | None], form: type) -> None:
    spec = ComponentSpec(name="rmsprop", options=options)
    weight = torch.nn.Parameter(torch.zeros(1))
    assert type(build("optimisers", spec, parameters=[weight], learning_rate=0.1)) is form


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"form": "textbook", "eps": 1e-6}, "eps has no effect"),
        ({"delta": 1e-6}, "delta has no effect"),
        ({"form": "textbook", "delta": 0}, "delta"),
        ({"form": "keras"}, "form"),
    ],
)
def test_unused_constant_of_a_form_is_refused(options: dict[str, float | str], named: str) -> None:
    with pytest.raises(OptionsError, match=named):
        check_options("optimisers", ComponentSpec(name="rmsprop", options=options))


def textbook(weights: list[torch.nn.Parameter], rate: float = 0.1, **options: float) -> TextbookRMSProp:
    spec = ComponentSpec(name="rmsprop", options={"form": "textbook", **options})
    optimiser: TextbookRMSProp = build("optimisers", spec, parameters=weights, learning_rate=rate)
    return optimiser


def take_steps(optimiser: torch.optim.Optimizer, weight: torch.nn.Parameter, gradients: list[torch.Tensor]) -> None:
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimiser.step()


def test_adamw_by_hand() -> None:
    # weights shrink by 0.1 * 0.5, then the first step of Adam is the learning rate itself
    assert one_step("adamw", weight_decay=0.5) == pytest.approx(0.95 - 0.1)


def test_adam_by_hand() -> None:
    # the first step of Adam is the learning rate itself; weights do not shrink
    assert one_step("adam") == pytest.approx(0.9)
    with pytest.raises(OptionsError, match="weight_decay"):
        check_options("optimisers", ComponentSpec(name="adam", options={"weight_decay": 0.1}))


def test_norms_and_biases_are_excluded_from_the_decay() -> None:
    """With gradients of zero Adam takes no step, so only the decay moves weights: by 0.1 * 0.5 of their value."""
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    for changes, decayed in (({}, 4), ({"decay_norms_and_biases": False}, 1)):
        twin = copy.deepcopy(network)
        spec = ComponentSpec(name="adamw", options={"weight_decay": 0.5, **changes})
        optimiser = build("optimisers", spec, parameters=list(twin.parameters()), learning_rate=0.1)
        for weight in twin.parameters():
            torch.nn.init.ones_(weight)
            weight.grad = torch.zeros_like(weight)
        optimiser.step()
        moved = [name for name, weight in twin.named_parameters() if not torch.equal(weight, torch.ones_like(weight))]
        assert len(moved) == decayed
        assert torch.allclose(twin[0].weight, torch.tensor(0.95))


def test_exclusion_keeps_the_settings_of_groups_and_leaves_out_empty_ones() -> None:
    matrix, bias, scale = (
        torch.nn.Parameter(torch.ones(2, 2)),
        torch.nn.Parameter(torch.ones(2)),
        torch.nn.Parameter(torch.ones(2)),
    )
    groups = exclude_from_decay([{"params": [matrix, bias], "lr": 0.5}, {"params": scale, "weight_decay": 0.1}])
    assert groups == [
        {"params": [matrix], "lr": 0.5},
        {"params": [bias], "lr": 0.5, "weight_decay": 0.0},
        {"params": [scale], "weight_decay": 0.0},
    ]
    assert exclude_from_decay([]) == []


def test_sgd_with_momentum_by_hand() -> None:
    # steps of 0.1 * 2, then of 0.1 * (0.9 * 2 + 2)
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = build("optimisers", ComponentSpec(name="sgd"), parameters=[weight], learning_rate=0.1)
    for expected in (0.8, 0.42):
        weight.grad = torch.tensor([2.0])
        optimiser.step()
        assert weight.item() == pytest.approx(expected)
