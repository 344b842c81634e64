"""Tests of posescope.models.plain_modules."""

from typing import Any

import pytest
import torch
from tests.extension.package.posescope_extension.plain import SmallNet
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.models.base import PoseNetwork
from posescope.models.layers import find_layer, intervene
from posescope.models.plain_modules import PlainModule, build_network, pick_heatmaps

MAPS = torch.zeros(2, 3, 8, 8)
OTHER = torch.zeros(2, 5, 8, 8)


@pytest.mark.parametrize(
    ("output", "count"),
    [
        (MAPS, 1),
        ([MAPS, MAPS + 1], 2),
        ((OTHER, MAPS), 1),
        ({"heatmaps": MAPS, "out": MAPS + 1}, 1),
        ({"out": MAPS, "aux": MAPS + 1}, 1),
        ({"heatmaps": [MAPS + 1, MAPS]}, 2),
        ({"features": OTHER, "maps": MAPS}, 1),
    ],
)
def test_heatmaps_are_found(output: Any, count: int) -> None:
    found = pick_heatmaps(output, 3, "net")
    assert len(found) == count
    assert found[-1] is MAPS or torch.equal(found[-1], output[-1])


@pytest.mark.parametrize(
    "output", [OTHER, [], {}, None, {"a": MAPS, "b": MAPS}, [MAPS, MAPS[..., :4]], MAPS[0], {"heatmaps": OTHER, "maps": MAPS}]
)
def test_output_without_unambiguous_heatmaps_is_refused(output: Any) -> None:
    with pytest.raises(OptionsError, match="net"):
        pick_heatmaps(output, 3, "net")


@pytest.fixture
def network() -> PlainModule:
    return PlainModule(SmallNet(3, channels=4), (32, 48), 3)


def test_adapter_knows_map_size_and_narrowest_layer(network: PlainModule) -> None:
    assert network.map_size == (8, 12)
    assert network.bottleneck_layer == "encoder"
    assert network.skip_layers == ()
    assert network.short_names == {}
    assert network.training
    assert [tuple(one.shape) for one in network(torch.zeros(2, 3, 32, 48))] == [(2, 3, 8, 12)]


def test_layers_have_the_paths_of_the_module(network: PlainModule) -> None:
    assert find_layer(network, "encoder.1.0") is network.network.encoder[1][0]
    assert "encoder.1.0" in network.layer_paths()
    with pytest.raises(OptionsError, match="'encoder'"):
        find_layer(network, "encodr")
    with intervene(network.eval(), {"head": torch.ones_like}):
        assert (network(torch.zeros(1, 3, 32, 48))[-1] == 1).all()


def test_adapter_changes_no_outputs_and_no_statistics(network: PlainModule) -> None:
    images = torch.rand(2, 3, 32, 48)
    module = network.network.eval()
    assert torch.equal(network(images)[-1], module(images))
    assert all(int(value) == 0 for name, value in network.state_dict().items() if name.endswith("num_batches_tracked"))


def test_module_is_built_from_its_signature_and_adapted() -> None:
    spec = ComponentSpec(name="tests.extension.package.posescope_extension.plain:SmallNet", options={"channels": 4})
    network = build_network(spec, (32, 32), 5)
    assert isinstance(network, PlainModule)
    assert network(torch.zeros(1, 3, 32, 32))[-1].shape == (1, 5, 8, 8)
    with pytest.raises(OptionsError, match="channels"):
        build_network(ComponentSpec(name=spec.name, options={"channels": "many"}), (32, 32), 5)


def test_network_of_ours_is_not_adapted() -> None:
    network = build_network(ComponentSpec(name="hourglass", options={"channels": 4, "depth": 1}), (32, 32), 2)
    assert isinstance(network, PoseNetwork)
    assert not isinstance(network, PlainModule)


def make_number() -> int:
    """A component that is no network."""
    return 3


class WrongCount(nn.Conv2d):
    """One heatmap, whatever the number of joints."""

    def __init__(self) -> None:
        super().__init__(3, 1, 4, 4)


class Tokens(nn.Module):
    """A transformer of patches of 8 px with a class token, and a head."""

    def __init__(self, joint_count: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.ConvTranspose2d(8, joint_count, 2, 2)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        grid = self.patches(images)
        tokens = torch.cat([grid.flatten(2).mean(2)[:, None], grid.flatten(2).transpose(1, 2)], dim=1)
        return {"heatmaps": self.head(self.block(tokens)[:, 1:].transpose(1, 2).reshape(grid.shape))}


@pytest.mark.parametrize("name", ["make_number", "WrongCount"])
def test_component_that_is_no_network_of_these_joints_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionsError, match=name):
        build_network(ComponentSpec(name=f"tests.models.test_plain_modules:{name}"), (32, 32), 5)


def test_bottleneck_of_a_transformer_is_its_last_block() -> None:
    network = PlainModule(Tokens(2), (32, 32), 2)
    assert network.bottleneck_layer == "block"
    with intervene(network.eval(), {"block": lambda tokens: tokens[:, :1].expand_as(tokens)}):
        heatmaps = network(torch.rand(1, 3, 32, 32))[-1]
    assert torch.allclose(heatmaps[..., :2, :2], heatmaps[..., 2:4, 4:6])  # every patch has the same token
