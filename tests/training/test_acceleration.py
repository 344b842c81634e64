"""Tests of posescope.training.acceleration: what is asked for, and what is left to the device."""

from typing import Any

import pytest
import torch

from posescope.training import acceleration as speedups
from posescope.training.acceleration import Acceleration, choose_acceleration
from posescope.training.options import TrainingOptions

CPU, GPU = torch.device("cpu"), torch.device("cuda")
OPEN = {"amp": "auto", "compile": "auto", "cuda_graph": True}


def choose(device: torch.device, **options: Any) -> Acceleration:
    return choose_acceleration(TrainingOptions.model_validate(options), device)


@pytest.mark.parametrize(("bf16", "compiled"), [(True, True), (False, True), (True, False)])
def test_what_is_left_open_is_what_the_gpu_can(bf16: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speedups, "_knows_bf16", lambda: bf16)
    monkeypatch.setattr(speedups, "_can_compile", lambda _device: compiled)
    assert choose(GPU, **OPEN) == Acceleration(bf16=bf16, compiled=compiled, recorded=True)
    # What is asked for is not asked again.
    assert choose(GPU, amp="bf16", compile=True) == Acceleration(bf16=True, compiled=True, recorded=False)


def test_on_a_cpu_nothing_is_done_that_was_left_open() -> None:
    assert choose(CPU, **OPEN) == Acceleration(bf16=False, compiled=False, recorded=False)
    assert choose(CPU, compile=True) == Acceleration(bf16=False, compiled=True, recorded=False)


def test_several_processes_record_nothing() -> None:
    assert not choose(GPU, cuda_graph=True, processes=2).recorded


def test_words_name_what_is_done() -> None:
    assert Acceleration(bf16=True, compiled=False, recorded=True).words() == "mixed precision (bf16), recorded steps"
    assert Acceleration(bf16=False, compiled=False, recorded=False).words() == ""
