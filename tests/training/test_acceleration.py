"""Tests of posescope.training.acceleration: explicit options, `auto`, and compiled regions."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from functorch.compile import make_boxed_func
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.backends.debugging import aot_eager

from posescope.core import hardware
from posescope.models.base import PoseNetwork
from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.models.hourglass_autoencoder import HourglassAutoencoder
from posescope.training import acceleration
from posescope.training.acceleration import (
    MAX_GRAPHS,
    Acceleration,
    choose_acceleration,
    compile_parts,
    has_native_bf16,
    raise_recompile_limit,
)
from posescope.training.options import TrainingOptions

CPU, GPU = torch.device("cpu"), torch.device("cuda")
OPEN = {"amp": "auto", "compile": "auto", "cuda_graph": True}


def choose(device: torch.device, **options: Any) -> Acceleration:
    return choose_acceleration(TrainingOptions.model_validate(options), device)


@pytest.mark.parametrize(("bf16", "compiled"), [(True, True), (False, True), (True, False)])
def test_auto_depends_on_the_capabilities_of_the_gpu(bf16: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "has_native_bf16", lambda _device: bf16)
    monkeypatch.setattr(acceleration, "_can_compile", lambda _device: compiled)
    assert choose(GPU, **OPEN) == Acceleration(bf16=bf16, compiled=compiled, cuda_graph=True)
    # Explicit options do not depend on the device.
    assert choose(GPU, amp="bf16", compile=True) == Acceleration(bf16=True, compiled=True, cuda_graph=False)


def test_auto_is_off_on_a_cpu() -> None:
    assert choose(CPU, **OPEN) == Acceleration(bf16=False, compiled=False, cuda_graph=False)
    assert choose(CPU, compile=True) == Acceleration(bf16=False, compiled=True, cuda_graph=False)


@pytest.mark.parametrize(
    ("text", "native"),
    [
        ("processor : 0\nflags\t\t: fpu sse avx512f avx512_bf16\n", True),
        ("flags : fpu amx_bf16 amx_tile\n", True),
        ("processor : 0\nFeatures\t: fp asimd bf16\n", True),
        ("flags : fpu avx2 avx512f\nmodel name : a CPU with bf16 in its name\n", False),
        ("", False),
    ],
)
def test_native_bf16_of_a_cpu_is_read_from_its_flags(
    text: str, native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(hardware, "_CPU_INFORMATION", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert has_native_bf16(CPU) is native
    (tmp_path / "cpuinfo").unlink()  # not Linux
    assert not has_native_bf16(CPU)


def test_no_cuda_graph_with_several_processes() -> None:
    assert not choose(GPU, cuda_graph=True, processes=2).cuda_graph


def test_description_lists_what_is_used() -> None:
    assert Acceleration(bf16=True, compiled=False, cuda_graph=True).describe() == "mixed precision (bf16), CUDA graph"
    assert Acceleration(bf16=False, compiled=False, cuda_graph=False).describe() == ""


SMALL = {"channels": 8, "stem_channels": 4, "depth": 2, "bottleneck_residuals": 1}


class Plain(PoseNetwork):
    """Network without `compiled_parts`."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[torch.fx.GraphModule]:
    """Graphs that are compiled from now on; they pass through AOTAutograd and run without C++."""
    found: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        found.append(graph)
        run: Callable[..., object] = aot_eager(graph, inputs)
        return run

    compile_module = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self, **options: compile_module(self, backend=keep, **options))
    torch._dynamo.reset()
    return found


@pytest.mark.parametrize("kind", [Hourglass, pytest.param(HourglassAutoencoder, marks=pytest.mark.slow)])
def test_stacks_share_a_compilation_with_equal_outputs(kind: type[Hourglass], graphs: list[torch.fx.GraphModule]) -> None:
    torch.manual_seed(0)
    network = kind(kind.Options(stacks=4, **SMALL), (64, 64), 5)
    plain, images = copy.deepcopy(network), torch.randn(2, 3, 64, 64)
    names = list(network.state_dict())
    with raise_recompile_limit():
        compile_parts(network)
        for _ in range(2):
            network.load_state_dict(plain.state_dict())
            network.zero_grad()
            outputs = network(images)
            torch.stack(outputs).square().mean().backward()
    # The stem; three equal stacks; the last stack, which has no successor.
    assert len(network.compiled_parts()) == 1 + 4
    assert len(graphs) == 3
    expected = plain(images)
    torch.stack(expected).square().mean().backward()
    assert all(torch.allclose(found, reference, atol=1e-5) for found, reference in zip(outputs, expected, strict=True))
    for (name, compiled), plain_parameter in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(compiled.grad, plain_parameter.grad, rtol=1e-3, atol=1e-5), name
    assert list(network.state_dict()) == names


def test_backward_pass_of_upsampling_has_no_scatter() -> None:
    # For PyTorch's own backward pass torch's compiler generates a scattered addition, the slowest operation of a step.
    operations: list[str] = []

    def list_operations(graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., object]:
        operations.extend(str(node.target) for node in graph.graph.nodes)
        return make_boxed_func(graph)  # type: ignore[no-any-return,no-untyped-call]

    torch._dynamo.reset()
    network = Hourglass(HourglassOptions(**SMALL), (64, 64), 5)
    for part in network.compiled_parts():
        part.compile(backend=aot_autograd(fw_compiler=list_operations), dynamic=False)
    network(torch.randn(1, 3, 64, 64))[0].square().mean().backward()
    assert [name for name in operations if "index_put" in name or "scatter" in name] == []
    assert operations.count("aten.avg_pool2d.default") == 2


def test_validation_and_copies_are_not_compiled(graphs: list[torch.fx.GraphModule]) -> None:
    network = Hourglass(HourglassOptions(**SMALL), (64, 64), 5)
    compile_parts(network)
    with torch.compiler.set_stance("force_eager"):
        network.eval()(torch.randn(3, 3, 64, 64))
    copy.deepcopy(network)(torch.randn(1, 3, 64, 64))
    assert graphs == []


def test_network_without_parts_is_compiled_as_one() -> None:
    network = Plain()
    assert network.compiled_parts() == (network,)


def test_recompile_limit_is_restored() -> None:
    before = torch._dynamo.config.recompile_limit
    with raise_recompile_limit():
        assert torch._dynamo.config.recompile_limit == MAX_GRAPHS
    assert torch._dynamo.config.recompile_limit == before
