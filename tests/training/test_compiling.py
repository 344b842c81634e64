"""Tests of posescope.training.compiling: which parts are compiled, how often, and what stays as it was."""

import copy

import pytest
import torch
from torch import Tensor, nn

from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.models.hourglass_autoencoder import HourglassAutoencoder, HourglassAutoencoderOptions
from posescope.models.network import Edits, PoseNetwork
from posescope.training.compiling import compile_parts, eager, room_for_parts

SMALL = {"channels": 8, "stem_channels": 4, "depth": 2, "bottleneck_residuals": 1}


class Plain(PoseNetwork):
    """A network that says nothing of its parts."""

    def forward(self, images: Tensor, edits: Edits | None = None) -> list[Tensor]:
        return [images]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[torch.fx.GraphModule]:
    """What is compiled from now on; a graph is run as it is, without a compiler."""
    found: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _inputs: object) -> torch.fx.GraphModule:
        found.append(graph)
        return graph

    compile_module = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: compile_module(self, backend=keep, **options))
    torch._dynamo.reset()
    return found


def test_stacks_share_one_compilation_and_put_out_the_same(graphs: list[torch.fx.GraphModule]) -> None:
    torch.manual_seed(0)
    network = Hourglass(HourglassOptions(stacks=4, **SMALL), (64, 64), 5)
    plain, images = copy.deepcopy(network), torch.randn(2, 3, 64, 64)
    names = list(network.state_dict())
    with room_for_parts():
        compile_parts(network)
        outputs = network(images)
        torch.stack(outputs).square().mean().backward()
    assert len(graphs) == 3  # the stem, a stack, a head
    expected = plain(images)
    torch.stack(expected).square().mean().backward()
    assert all(torch.equal(found, wanted) for found, wanted in zip(outputs, expected, strict=True))
    for (name, ours), theirs in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6), name
    assert list(network.state_dict()) == names


def test_validation_and_copies_are_not_compiled(graphs: list[torch.fx.GraphModule]) -> None:
    network = Hourglass(HourglassOptions(**SMALL), (64, 64), 5)
    compile_parts(network)
    with eager():
        network.eval()(torch.randn(3, 3, 64, 64))
    copy.deepcopy(network)(torch.randn(1, 3, 64, 64))
    assert graphs == []


def test_other_networks_are_compiled_residual_by_residual_or_whole() -> None:
    options = HourglassAutoencoderOptions(**SMALL, autoencoder={"channels": (4,), "code_size": 3})
    network = HourglassAutoencoder(options, (64, 64), 5)
    parts = network.compiled_parts()
    assert network.stem in parts
    assert network.hourglasses[0] not in parts  # its halves are called apart, with the code between them
    assert network.hourglasses[0].bottleneck[0] in parts
    other = Plain()
    assert other.compiled_parts() == (other,)
