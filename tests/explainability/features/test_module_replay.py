"""Tests of posescope.explainability.features.module_replay."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from posescope.explainability.features.activation_patching import constant_patch
from posescope.explainability.features.module_replay import find_shared_modules, prepare_replay, record_pass
from posescope.models.base import PoseNetwork
from posescope.models.layers import intervene
from posescope.models.plain_modules import PlainModule

SIDE, SHAPE = 16, (4, 4, 4)


class Encoder(nn.Module):
    """Returns a list of two maps and counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)
        self.passes = 0

    def forward(self, images: Tensor) -> list[Tensor]:
        self.passes += 1
        fine = self.first(images).relu_()
        return [fine, self.second(fine)]


class Net(nn.Module):
    """Encoder, a layer in the middle, and a decoder that also sees the fine map, which it changes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.middle = Encoder(), nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))
        self.skip, self.up, self.head = nn.Identity(), nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.Conv2d(4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine, coarse = self.encoder(images)
        return self.head(self.skip(fine).mul_(2).add_(self.up(self.middle(coarse))).relu())


class Twice(Net):
    """The encoder runs once more behind the middle."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.encoder(images)[0][:, :2]


class Remembering(Net):
    """The encoder passes its map on by an attribute, not by its output."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder.first.register_forward_hook(self._remember)

    def _remember(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        self.fine = output.clone()

    def forward(self, images: Tensor) -> Tensor:
        _, coarse = self.encoder(images)
        return self.head((self.fine + self.up(self.middle(coarse))).relu())


def adapt(network: nn.Module) -> PoseNetwork:
    torch.manual_seed(0)
    return PlainModule(network, (SIDE, SIDE), 2).eval()


@pytest.mark.parametrize(
    ("kind", "layer"),
    [(Net, "middle"), (Net, "middle.0"), (Net, "encoder.second"), (Net, "up"), (Twice, "middle"), (Twice, "up")],
)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_replayed_pass_equals_a_whole_pass(kind: type[nn.Module], layer: str, count: int) -> None:
    network, images = adapt(kind()), torch.rand(count, 3, SIDE, SIDE)
    shape = (4, 8, 8) if layer == "up" else SHAPE
    values, changes = torch.randn(count if count > 1 else 5, *shape), {"skip": lambda value: 3 * value}
    replay = prepare_replay(network, layer, images, changes)
    with torch.no_grad(), intervene(network, {**changes, layer: constant_patch(values)}):
        whole = network(images.expand(len(values), *images.shape[1:]))[-1]
    assert replay is not None
    for _ in range(2):  # nothing that is recorded was changed
        torch.testing.assert_close(replay.heatmaps(values), whole, rtol=1e-4, atol=1e-5)
    assert not any("forward" in vars(module) or module._forward_hooks for module in network.modules())


def test_modules_before_the_layer_do_not_run_again() -> None:
    network, images = adapt(Net()), torch.rand(1, 3, SIDE, SIDE)
    replay = prepare_replay(network, "middle", images, {})
    assert replay is not None
    assert set(replay.recorded.outputs) == {"network.encoder", "network.skip"}
    before = network.network.encoder.passes
    replay.heatmaps(torch.zeros(7, *SHAPE))
    assert network.network.encoder.passes == before


def test_intervention_before_the_layer_is_applied_once() -> None:
    network, images = adapt(Net()), torch.rand(2, 3, SIDE, SIDE)
    changes = {"encoder.first": lambda value: 2 * value}
    replay = prepare_replay(network, "middle", images, changes)
    assert replay is not None
    values = torch.randn(2, *SHAPE)
    with torch.no_grad(), intervene(network, {**changes, "middle": constant_patch(values)}):
        whole = network(images)[-1]
    torch.testing.assert_close(replay.heatmaps(values), whole, rtol=1e-4, atol=1e-5)


def test_network_whose_modules_keep_state_is_not_replayed() -> None:
    assert prepare_replay(adapt(Remembering()), "middle", torch.rand(1, 3, SIDE, SIDE), {}) is None


def test_layer_before_all_others_is_not_replayed() -> None:
    assert prepare_replay(adapt(Net()), "encoder.first", torch.rand(1, 3, SIDE, SIDE), {}) is None


@pytest.mark.parametrize("kind", [Net, Twice])
def test_shared_modules_are_those_before_all_layers(kind: type[nn.Module]) -> None:
    network, images = adapt(kind()), torch.rand(4, 3, SIDE, SIDE)
    changes: dict[str, Any] = {"middle": torch.zeros_like, "up": lambda value: value.flip(0)}
    modules = find_shared_modules(network, ["middle", "up"], images)
    assert modules == ({"network.encoder", "network.skip"} if kind is Net else {"network.skip"})
    recorded = record_pass(network, ["middle", "up"], images, modules)
    for layers in ([], ["middle"], ["up"], ["middle", "up"]):
        interventions = {layer: changes[layer] for layer in layers}
        with torch.no_grad(), intervene(network, interventions):
            whole = network(images)[-1]
        torch.testing.assert_close(recorded.heatmaps(interventions), whole, rtol=0, atol=1e-6)
        if not layers:
            torch.testing.assert_close(recorded.maps, whole, rtol=0, atol=0)


def test_shared_modules_of_layers_in_an_encoder() -> None:
    network, images = adapt(Net()), torch.rand(4, 3, SIDE, SIDE)
    assert find_shared_modules(network, ["middle", "encoder.second"], images) == {"network.encoder.first"}


def test_network_whose_modules_keep_state_shares_none() -> None:
    network, images = adapt(Remembering()), torch.rand(2, 3, SIDE, SIDE)
    assert find_shared_modules(network, ["middle"], images) == frozenset()
    recorded = record_pass(network, ["middle"], images, frozenset())
    with torch.no_grad(), intervene(network, {"middle": torch.zeros_like}):
        whole = network(images)[-1]
    torch.testing.assert_close(recorded.heatmaps({"middle": torch.zeros_like}), whole, rtol=0, atol=1e-6)
