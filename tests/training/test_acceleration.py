"""Tests of posescope.training.acceleration: explicit options and `auto`."""

from typing import Any

import pytest
import torch

from posescope.training import acceleration
from posescope.training.acceleration import Acceleration, choose_acceleration
from posescope.training.options import TrainingOptions

CPU, GPU = torch.device("cpu"), torch.device("cuda")
OPEN = {"amp": "auto", "compile": "auto", "cuda_graph": True}


def choose(device: torch.device, **options: Any) -> Acceleration:
    return choose_acceleration(TrainingOptions.model_validate(options), device)


@pytest.mark.parametrize(("bf16", "compiled"), [(True, True), (False, True), (True, False)])
def test_auto_depends_on_the_capabilities_of_the_gpu(bf16: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "_has_bf16", lambda: bf16)
    monkeypatch.setattr(acceleration, "_can_compile", lambda _device: compiled)
    assert choose(GPU, **OPEN) == Acceleration(bf16=bf16, compiled=compiled, cuda_graph=True)
    # Explicit options do not depend on the device.
    assert choose(GPU, amp="bf16", compile=True) == Acceleration(bf16=True, compiled=True, cuda_graph=False)


def test_auto_is_off_on_a_cpu() -> None:
    assert choose(CPU, **OPEN) == Acceleration(bf16=False, compiled=False, cuda_graph=False)
    assert choose(CPU, compile=True) == Acceleration(bf16=False, compiled=True, cuda_graph=False)


def test_no_cuda_graph_with_several_processes() -> None:
    assert not choose(GPU, cuda_graph=True, processes=2).cuda_graph


def test_description_lists_what_is_used() -> None:
    assert Acceleration(bf16=True, compiled=False, cuda_graph=True).describe() == "mixed precision (bf16), CUDA graph"
    assert Acceleration(bf16=False, compiled=False, cuda_graph=False).describe() == ""
