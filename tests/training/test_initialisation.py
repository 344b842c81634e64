"""Tests of posescope.training.initialisation."""

import logging
from typing import Any

import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.complexity import count_macs, count_parameters
from posescope.models.hourglass import Hourglass
from posescope.training.initialisation import build_untrained

OPTIONS = {"channels": 8, "depth": 1, "bottleneck_residuals": 1}


def make(seed: int = 0, model: str = "hourglass", **codec_options: Any) -> PoseModel:
    return build_untrained(
        model_spec=ComponentSpec(name=model, options=OPTIONS),
        codec_spec=ComponentSpec(name="gaussian", options=codec_options),
        skeleton=COCO_PERSON,
        crop_size=(64, 64),
        mean_rgb=(0.1, 0.2, 0.3),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
        seed=seed,
    )


def weights(model: PoseModel) -> torch.Tensor:
    return torch.cat([parameter.flatten() for parameter in model.network.parameters()])


def test_weights_depend_on_the_seed_only() -> None:
    torch.manual_seed(5)
    first = weights(make(seed=1))
    expected_next = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == expected_next  # the global generator is not changed
    assert torch.equal(first, weights(make(seed=1)))
    assert not torch.equal(first, weights(make(seed=2)))


def test_model_has_network_codec_and_provenance() -> None:
    model = make(seed=3)
    assert model.network.map_size == model.codec.map_size == (16, 16)
    assert model.network(torch.zeros(2, 3, 64, 64))[-1].shape == (2, 17, 16, 16)
    assert model.provenance == {"init_seed": 3}


def test_network_may_expect_another_mean_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hourglass, "mean_rgb", (0.4, 0.5, 0.6))
    assert make().mean_rgb == (0.4, 0.5, 0.6)


def test_origin_of_initial_weights_is_in_the_provenance(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(network: Hourglass) -> dict[str, str]:
        torch.nn.init.ones_(network.stem.conv.weight)
        return {"name": "ones"}

    monkeypatch.setattr(Hourglass, "load_initial_weights", load)
    model = make()
    assert model.provenance == {"init_seed": 0, "initial_weights": {"name": "ones"}}
    assert model.network.stem.conv.weight.unique().tolist() == [1]


def test_model_stores_the_options_that_the_network_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make().model_spec == ComponentSpec(name="hourglass", options=OPTIONS)
    monkeypatch.setattr(Hourglass, "stored_options", lambda _network, options: {**options, "stacks": 1})
    assert make().model_spec.options == {**OPTIONS, "stacks": 1}


def test_complexity_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        model = make()
    parameters, macs = count_parameters(model.network), count_macs(model.network, (64, 64))
    assert f"{parameters:,} parameters, {macs / 1e9:.2f} GMAC" in caplog.text


def test_different_heatmap_sizes_are_refused() -> None:
    with pytest.raises(OptionsError, match=r"'hourglass'.*16x16.*'gaussian'.*32x32"):
        make(stride=2)


def test_unknown_model_is_refused_with_the_installed_ones() -> None:
    with pytest.raises(OptionsError, match=r"'hourglas'.*Installed: .*hourglass"):
        make(model="hourglas")
