"""Tests of posescope.models.encoders.torch_module."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import (
    ComponentNotAllowedError,
    ComponentSpec,
    StoredComponent,
    build,
    trust_component,
)

NET = f"{__name__}:Net"


class Net(nn.Module):
    """Three strided convolutions and a classifier; `filled` stands for weights that the constructor downloads."""

    def __init__(self, width: int = 4, filled: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=4, padding=1)
        self.stage = nn.Sequential(nn.Conv2d(width, width + 1, 3, stride=2, padding=1), nn.ReLU())
        self.last = nn.Conv2d(width + 1, 2 * width, 3, stride=2, padding=1)
        self.classifier = nn.Linear(2 * width, 10)
        self.unused = nn.Identity()
        if filled:
            for parameter in self.parameters():
                nn.init.ones_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.last(self.stage(self.stem(images))).mean(dim=(2, 3)))


class Twice(Net):
    """Its layer `last` runs twice."""

    def forward(self, images: Tensor) -> Tensor:
        features = self.stage(self.stem(images))
        return self.last(features) + self.last(features)


def no_module() -> str:
    return "no module"


def make(layers: list[str] | None = None, name: str = NET, module_options: dict[str, Any] | None = None, **options: Any) -> Any:
    module = {"name": name, "options": module_options or {}}
    given = {"module": module, "layers": layers or ["stem", "stage", "last"], **options}
    return build("encoders", ComponentSpec(name="module", options=given))


def test_outputs_of_the_layers_are_the_maps() -> None:
    encoder = make(module_options={"width": 6})
    images = torch.randn(2, 3, 32, 48)
    stem = encoder.module.stem(images)
    expected = [stem, encoder.module.stage(stem), encoder.module.last(encoder.module.stage(stem))]
    assert all(torch.equal(found, value) for found, value in zip(encoder(images), expected, strict=True))
    assert (encoder.channels, encoder.strides) == ((6, 7, 12), (4, 8, 16))


def test_no_hook_stays_and_a_copy_is_independent() -> None:
    encoder, images = make(), torch.randn(1, 3, 32, 32)
    copied = copy.deepcopy(encoder)
    nn.init.zeros_(copied.module.last.weight)
    assert not torch.equal(encoder(images)[-1], copied(images)[-1])
    assert not encoder.module.stem._forward_hooks


def test_normalisation_is_an_option() -> None:
    encoder = make(mean_rgb=[0.5, 0.5, 0.5], std_rgb=[0.2, 0.2, 0.2])
    assert (encoder.mean_rgb, encoder.std_rgb) == ((0.5,) * 3, (0.2,) * 3)


def test_weights_of_a_file(tmp_path: Path) -> None:
    torch.save(Net(filled=True).state_dict(), tmp_path / "net.pth")
    encoder = make(weights=tmp_path / "net.pth", cache_dir=tmp_path)
    origin = encoder.load_initial_weights()
    assert origin["name"] == "net.pth"
    assert encoder.module.stem.weight.unique().tolist() == [1]
    assert set(encoder.stored_options()) == {"module", "layers"}


def test_weights_that_the_module_loads_itself() -> None:
    encoder = make(pretrained_options={"filled": True})
    assert encoder.module.stem.weight.unique().numel() > 1
    assert encoder.load_initial_weights()["options"] == {"filled": True}
    assert encoder.module.stem.weight.unique().tolist() == [1]
    assert set(encoder.stored_options()) == {"module", "layers"}
    assert make().load_initial_weights() is None


def test_weights_of_another_module_are_refused(tmp_path: Path) -> None:
    torch.save(Net(width=8).state_dict(), tmp_path / "net.pth")
    with pytest.raises(OptionsError, match=r"net\.pth"):
        make(weights=tmp_path / "net.pth", cache_dir=tmp_path).load_initial_weights()


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["stem", "absent"], "'absent'"),
        (["stem", "unused"], "run in the forward pass"),
        (["last", "stem"], "from fine to coarse"),
        (["classifier"], r"\(N, C, h, w\)"),
    ],
)
def test_wrong_layers_are_refused(layers: list[str], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        make(layers)


def test_layer_that_runs_twice_is_refused() -> None:
    with pytest.raises(OptionsError, match="more than once"):
        make(["last"], name=f"{__name__}:Twice")


def test_wrong_modules_and_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="torch module"):
        make(name=f"{__name__}:no_module")
    with pytest.raises(OptionsError, match="Installed"):
        make(name="resnet")
    with pytest.raises(OptionsError, match="depth"):
        make(module_options={"depth": 3})
    with pytest.raises(OptionsError, match="both"):
        make(weights=tmp_path / "a.pth", pretrained_options={"filled": True})


def test_module_of_a_file_has_to_be_allowed() -> None:
    options = {"encoder": {"name": "module", "options": {"module": {"name": NET}, "layers": ["stem", "last"]}}}
    stored = StoredComponent(name="encoder_decoder", options=options)
    with pytest.raises((ComponentNotAllowedError, OptionsError), match="allow"):
        trust_component("models", stored)
    spec = trust_component("models", stored, allow=[NET])
    assert build("models", spec, crop_size=(32, 32), joint_count=3).map_size == (8, 8)
