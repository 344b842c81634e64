"""Tests of posescope.training.compiling: which parts are compiled, how often, and what stays as it was."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager

from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.models.network import Edits, PoseNetwork
from posescope.training.compiling import MOST_GRAPHS, compile_parts, eager, room_for_parts

SMALL = {"channels": 8, "stem_channels": 4, "depth": 2, "bottleneck_residuals": 1}


class Plain(PoseNetwork):
    """A network that says nothing of its parts."""

    def forward(self, images: Tensor, edits: Edits | None = None) -> list[Tensor]:
        return [images]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[torch.fx.GraphModule]:
    """What is compiled from now on; it goes through autograd's compiler and is then run as it is, without C++."""
    found: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        found.append(graph)
        run: Callable[..., object] = aot_eager(graph, inputs)
        return run

    compile_module = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: compile_module(self, backend=keep, **options))
    torch._dynamo.reset()
    return found


def test_all_stacks_share_what_is_compiled_and_put_out_the_same(graphs: list[torch.fx.GraphModule]) -> None:
    torch.manual_seed(0)
    network = Hourglass(HourglassOptions(stacks=4, **SMALL), (64, 64), 5)
    plain, images = copy.deepcopy(network), torch.randn(2, 3, 64, 64)
    names = list(network.state_dict())
    with room_for_parts():
        compile_parts(network)
        outputs = network(images)
        torch.stack(outputs).square().mean().backward()
    # 32 residuals. Of the stem three kinds: at 32 px from 4 to 4 channels, at 16 px from 4 to 8, at 16 px from 8 to 8; the last
    # is also that of a finest skip and of a head. Of a stack two more, at 8 and at 4 px.
    assert len(network.compiled_parts()) == 3 + 4 * 7
    assert len(graphs) == 5
    expected = plain(images)
    torch.stack(expected).square().mean().backward()
    assert all(torch.allclose(found, wanted, atol=1e-5) for found, wanted in zip(outputs, expected, strict=True))
    for (name, ours), theirs in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5), name
    assert list(network.state_dict()) == names


def test_validation_and_copies_are_not_compiled(graphs: list[torch.fx.GraphModule]) -> None:
    network = Hourglass(HourglassOptions(**SMALL), (64, 64), 5)
    compile_parts(network)
    with eager():
        network.eval()(torch.randn(3, 3, 64, 64))
    copy.deepcopy(network)(torch.randn(1, 3, 64, 64))
    assert graphs == []


def test_a_network_that_names_no_parts_is_compiled_whole() -> None:
    network = Plain()
    assert network.compiled_parts() == (network,)


def test_torch_has_its_own_limit_again_afterwards() -> None:
    before = torch._dynamo.config.recompile_limit
    with room_for_parts():
        assert torch._dynamo.config.recompile_limit == MOST_GRAPHS
    assert torch._dynamo.config.recompile_limit == before
