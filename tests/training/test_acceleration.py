"""Tests of posescope.training.acceleration: what is asked for, and what is left to the device."""

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
def test_what_is_left_open_is_what_the_gpu_can(bf16: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "_has_bf16", lambda: bf16)
    monkeypatch.setattr(acceleration, "_can_compile", lambda _device: compiled)
    assert choose(GPU, **OPEN) == Acceleration(bf16=bf16, compiled=compiled, cuda_graph=True)
    # What is asked for is not asked again.
    assert choose(GPU, amp="bf16", compile=True) == Acceleration(bf16=True, compiled=True, cuda_graph=False)


def test_on_a_cpu_nothing_is_done_that_was_left_open() -> None:
    assert choose(CPU, **OPEN) == Acceleration(bf16=False, compiled=False, cuda_graph=False)
    assert choose(CPU, compile=True) == Acceleration(bf16=False, compiled=True, cuda_graph=False)


def test_several_processes_record_nothing() -> None:
    assert not choose(GPU, cuda_graph=True, processes=2).cuda_graph


def test_words_name_what_is_done() -> None:
    assert Acceleration(bf16=True, compiled=False, cuda_graph=True).describe() == "mixed precision (bf16), CUDA graph"
    assert Acceleration(bf16=False, compiled=False, cuda_graph=False).describe() == ""
