"""Tests of posescope.artifacts.model_assembly, and of the model folder of an assembled model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from posescope.artifacts.model_assembly import insert_autoencoders
from posescope.artifacts.model_folder import load_model, save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.hourglass_autoencoder import Autoencoder, AutoencoderOptions

IMAGES = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
OPTIONS = AutoencoderOptions(channels=(6, 4), code_size=3, code_activation="none")


def make_model(name: str = "hourglass", **options: Any) -> PoseModel:
    context = {"crop_size": (32, 32), "joint_count": 17}
    spec = ComponentSpec(name=name, options={"channels": 8, "depth": 1, "bottleneck_residuals": 1, **options})
    codec_spec = ComponentSpec(name="gaussian")
    torch.manual_seed(3)
    return PoseModel(
        network=build("models", spec, **context),
        codec=build("codecs", codec_spec, **context),
        skeleton=COCO_PERSON,
        crop_size=(32, 32),
        mean_rgb=(0.4, 0.4, 0.4),
        model_spec=spec,
        codec_spec=codec_spec,
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
        provenance={"epochs": 3},
    )


def make_autoencoder(options: AutoencoderOptions = OPTIONS) -> Autoencoder:
    torch.manual_seed(4)
    return Autoencoder(options, in_channels=8, size=(4, 4))


def test_assembled_model_passes_the_bottleneck_through_the_autoencoder() -> None:
    model, autoencoder = make_model(), make_autoencoder()
    joined = insert_autoencoders(model, [autoencoder], {"epochs": 9})
    expected = model.heatmaps(IMAGES, {"stack1.bottleneck": autoencoder})
    torch.testing.assert_close(joined.heatmaps(IMAGES), expected)
    assert joined.provenance == {"parts": {"hourglass": {"epochs": 3}, "autoencoders": {"epochs": 9}}}
    assert model.model_spec.name == "hourglass"


def test_insertion_keeps_the_random_state() -> None:
    model, autoencoder = make_model(), make_autoencoder()
    torch.manual_seed(8)
    expected = torch.rand(1)
    torch.manual_seed(8)
    insert_autoencoders(model, [autoencoder])
    assert torch.rand(1) == expected


@pytest.mark.parametrize("stacks", [1, 2])
def test_model_folder_round_trip(stacks: int, tmp_path: Path) -> None:
    joined = insert_autoencoders(make_model(stacks=stacks), [make_autoencoder()] * stacks)
    save_model(tmp_path / "model", joined)
    read = load_model(tmp_path / "model")
    assert read.model_spec == joined.model_spec
    assert read.provenance == joined.provenance
    weights = joined.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in read.network.state_dict().items())
    torch.testing.assert_close(read.heatmaps(IMAGES), joined.heatmaps(IMAGES))
    assert read.network.autoencoders[0].options == OPTIONS


def test_other_network_than_a_hourglass_is_refused() -> None:
    with pytest.raises(OptionsError, match="hourglass_autoencoder"):
        insert_autoencoders(make_model("hourglass_autoencoder"), [make_autoencoder()])


@pytest.mark.parametrize("others", [[], [OPTIONS, AutoencoderOptions(channels=(6, 4), code_size=2)]])
def test_autoencoders_of_other_numbers_or_options_are_refused(others: list[AutoencoderOptions]) -> None:
    with pytest.raises(OptionsError, match="options"):
        insert_autoencoders(make_model(stacks=2), [make_autoencoder(options) for options in others])


@pytest.mark.parametrize(("stacks", "in_channels", "message"), [(2, 8, "per stack"), (1, 6, r"autoencoders\.0")])
def test_autoencoders_that_do_not_fit_are_refused(stacks: int, in_channels: int, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        insert_autoencoders(make_model(stacks=stacks), [Autoencoder(OPTIONS, in_channels=in_channels, size=(4, 4))])


def test_weights_are_copied() -> None:
    model = make_model()
    joined = insert_autoencoders(model, [make_autoencoder()])
    torch.nn.init.zeros_(model.network.stem.conv.weight)
    assert joined.network.stem.conv.weight.any()


def test_paused_and_resumed_pass_equals_the_whole_one() -> None:
    model = make_model(stacks=2)
    torch.testing.assert_close(model.resume(model.pause(IMAGES)), model.heatmaps(IMAGES), rtol=0, atol=0)


def test_network_that_cannot_be_paused_is_an_error() -> None:
    model = replace(make_model(), network=torch.nn.Identity())
    with pytest.raises(TypeError, match="'hourglass' cannot be paused"):
        model.pause(IMAGES)
