"""Tests of posescope.models.encoders.timm_backbone, with a stand-in for the library, which needs torchvision."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build


class Features(nn.Module):
    """What `timm.create_model(..., features_only=True)` returns."""

    def __init__(self, out_indices: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 if index == 0 else 4, 4, 3, stride=2, padding=1) for index in range(4))
        self.out_indices = out_indices
        self.feature_info = SimpleNamespace(reduction=lambda: [2 ** (index + 1) for index in out_indices])
        self.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for index, conv in enumerate(self.convs):
            x = conv(x)
            if index in self.out_indices:
                maps.append(x)
        return maps


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Install the stand-in; returns the arguments of its calls."""
    calls: list[dict[str, Any]] = []

    def create_model(name: str, **arguments: Any) -> Features:
        calls.append(arguments)
        if name != "tiny":
            raise RuntimeError(f"Unknown model ({name})")
        network = Features(arguments.get("out_indices", (0, 1, 2, 3)))
        if arguments["pretrained"]:
            nn.init.ones_(network.convs[0].weight)
        return network

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    return calls


def make(**options: Any) -> Any:
    return build("encoders", ComponentSpec(name="timm", options={"model": "tiny", **options}))


def test_maps_from_stride_4_are_read(timm: list[dict[str, Any]]) -> None:
    encoder = make()
    assert (encoder.channels, encoder.strides) == ((4, 4, 4), (4, 8, 16))
    assert (encoder.mean_rgb, encoder.std_rgb) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert [tuple(item.shape) for item in encoder(torch.zeros(1, 3, 32, 48))] == [(1, 4, 8, 12), (1, 4, 4, 6), (1, 4, 2, 3)]
    assert make(out_indices=[0, 3]).strides == (2, 16)


def test_weights_are_loaded_at_the_start_of_a_training_only(timm: list[dict[str, Any]]) -> None:
    encoder = make()
    assert not any(call["pretrained"] for call in timm)
    assert encoder.load_initial_weights()["name"] == "timm tiny"
    assert encoder.backbone.convs[0].weight.unique().tolist() == [1]
    assert make(pretrained=False).load_initial_weights() is None


def test_arguments_are_passed_on(timm: list[dict[str, Any]]) -> None:
    make(arguments={"drop_path_rate": 0.1})
    assert all(call["drop_path_rate"] == 0.1 and call["features_only"] for call in timm)


def test_unknown_model_is_refused(timm: list[dict[str, Any]]) -> None:
    with pytest.raises(OptionsError, match="nothing"):
        make(model="nothing")


@pytest.mark.parametrize("options", [{"model": "hf-hub:a/b"}, {"model": ""}, {"arguments": {"checkpoint_path": "a.pth"}}])
def test_options_that_read_other_files_are_refused(timm: list[dict[str, Any]], options: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match=next(iter(options))):
        make(**options)
    assert timm == []


def test_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(OptionsError, match="pip install timm") as error:
        make()
    assert "\n" not in str(error.value)
