"""Tests of posescope.models.layers, on two 1x1 convolutions with known weights."""

import pytest
import torch
from tests.models.conftest import run
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.models.base import PoseNetwork
from posescope.models.layers import bottleneck_layers, find_layer, intervene


class TwoConvolutions(PoseNetwork):
    """The first one doubles the sum of the three channels, the second adds 1; `pair` and `twice` cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.short_names = {"stack1.sum": "first"}
        self.first, self.second = nn.Conv2d(3, 1, kernel_size=1, bias=False), nn.Conv2d(1, 1, kernel_size=1)
        for weights, value in ((self.first.weight, 2.0), (self.second.weight, 1.0), (self.second.bias, 1.0)):
            nn.init.constant_(weights, value)
        self.pair, self.flat, self.twice, self.unused = Pair(), nn.Flatten(), nn.Identity(), nn.Identity()

    def forward(self, images: Tensor) -> list[Tensor]:
        summed = self.twice(self.twice(self.first(images)))
        self.flat(summed)
        return [self.second(self.pair(summed)[0])]


class Pair(nn.Module):
    """Returns its input twice."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


ONES = torch.ones(2, 3, 4, 4)


@pytest.fixture
def network() -> TwoConvolutions:
    return TwoConvolutions()


@pytest.mark.parametrize("layer", ["stack1.sum", "first"])
def test_intervention_by_short_name_and_by_module_path(network: TwoConvolutions, layer: str) -> None:
    # 2 * (1 + 1 + 1) = 6, tripled by the intervention, and 1 more.
    assert (run(network, ONES, {layer: lambda value: 3 * value})[0] == 19).all()


def test_reading_intervention_changes_nothing(network: TwoConvolutions) -> None:
    found: list[Tensor] = []

    def read(value: Tensor) -> Tensor:
        found.append(value)
        return value

    assert (run(network, ONES, {"first": read})[0] == 7).all()
    assert found[0].shape == (2, 1, 4, 4)
    assert (found[0] == 6).all()


def test_no_interventions(network: TwoConvolutions) -> None:
    assert (run(network, ONES, None)[0] == 7).all()


@pytest.mark.parametrize("layer", ["stack1.sun", "frist", "heads.0", "map_size"])
def test_unknown_layer_is_refused_with_the_short_names(network: TwoConvolutions, layer: str) -> None:
    with pytest.raises(OptionsError, match=r"stack1\.sum"):
        find_layer(network, layer)


def test_unknown_layer_is_refused_with_the_closest_name(network: TwoConvolutions) -> None:
    with pytest.raises(OptionsError, match="'second'"):
        find_layer(network, "secnd")


@pytest.mark.parametrize(("layer", "message"), [("twice", "ambiguous"), ("pair", "tuple"), ("unused", "unused"), ("", "list")])
def test_layer_without_one_activation_is_refused(network: TwoConvolutions, layer: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        run(network, ONES, {"first": torch.zeros_like, layer: torch.zeros_like})
    assert not any(module._forward_hooks for module in network.modules())
    assert (network(ONES)[0] == 7).all()


@pytest.mark.parametrize("layer", ["twice", "pair", "unused"])
def test_refusal_names_a_layer_that_works(network: TwoConvolutions, layer: str) -> None:
    network.bottleneck_layer = "stack1.sum"
    with pytest.raises(OptionsError) as caught:
        run(network, ONES, {layer: torch.zeros_like})
    assert layer == "unused" or "'stack1.sum'" in str(caught.value)


def test_vector_is_read_and_replaced(network: TwoConvolutions) -> None:
    shapes: list[tuple[int, ...]] = []

    def read(value: Tensor) -> Tensor:
        shapes.append(tuple(value.shape))
        return value

    run(network, ONES, {"flat": read})
    assert shapes == [(2, 16)]


def test_hooks_are_removed_after_an_error(network: TwoConvolutions) -> None:
    with pytest.raises(ZeroDivisionError), intervene(network, {"first": torch.zeros_like}):
        1 / 0  # noqa: B018
    with pytest.raises(OptionsError), intervene(network, {"first": torch.zeros_like, "attic": torch.zeros_like}):
        pass
    assert not any(module._forward_hooks for module in network.modules())


def test_layers_of_the_other_part_of_a_pass_are_ignored(network: TwoConvolutions) -> None:
    with intervene(network, {"unused": torch.zeros_like}, whole_pass=False):
        assert (network(ONES)[0] == 7).all()


def test_bottlenecks_are_the_declared_ones(network: TwoConvolutions) -> None:
    assert bottleneck_layers(network) == ()
    network.bottleneck_layer = "second"
    assert bottleneck_layers(network) == ("second",)
    network.bottleneck_layer, network.short_names = "stack2.low", {"stack1.low": "first", "stack2.low": "second", "slow": "pair"}
    assert bottleneck_layers(network) == ("stack1.low", "stack2.low")
