"""Tests of posescope.artifacts.devices."""

import pytest
import torch

from posescope.artifacts.devices import resolve_device, resolve_gpu
from posescope.core.errors import OptionsError


def test_auto_is_the_first_gpu_or_the_cpu() -> None:
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == torch.device("cpu")


def test_resolve_gpu_returns_none_for_the_cpu() -> None:
    assert resolve_gpu("cpu") is None
    assert (resolve_gpu("auto") is not None) == torch.cuda.is_available()
    with pytest.raises(OptionsError, match="cuda:97"):
        resolve_gpu("cuda:97")


def test_device_that_does_not_exist_is_refused() -> None:
    with pytest.raises(OptionsError, match=r"cuda:97"):
        resolve_device("cuda:97")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu\n"])
def test_invalid_device_name_is_refused(name: str) -> None:
    with pytest.raises(OptionsError, match="expected auto, cpu, cuda or cuda:<index>"):
        resolve_device(name)
