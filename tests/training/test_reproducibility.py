"""Tests of posescope.training.reproducibility."""

import pytest
import torch

from posescope.training.reproducibility import reproducible, step_generator

CPU = torch.device("cpu")


def draw() -> list[float]:
    with reproducible(11, CPU):
        return torch.rand(3).tolist()


def fail_within(threads: int, seen: list[int]) -> None:
    with reproducible(9, CPU, threads=threads):
        seen.extend([torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()])
        raise ZeroDivisionError


def test_same_seed_samples_the_same_numbers() -> None:
    torch.manual_seed(0)
    first = draw()
    torch.manual_seed(1)
    assert draw() == first


def test_global_state_is_restored_even_after_an_error() -> None:
    torch.manual_seed(4)
    expected = torch.rand(2).tolist()
    torch.manual_seed(4)
    threads = torch.get_num_threads()
    within: list[int] = []
    with pytest.raises(ZeroDivisionError):
        fail_within(threads + 1, within)
    assert within == [True, threads + 1]
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.rand(2).tolist() == expected


def test_generators_differ_by_seed_epoch_and_step() -> None:
    draws = {torch.rand(1, generator=step_generator(*place)).item() for place in ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2))}
    assert len(draws) == 4
    assert torch.rand(1, generator=step_generator(1, 2, 3)) == torch.rand(1, generator=step_generator(1, 2, 3))
