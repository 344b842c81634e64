"""Tests of posescope.models.encoder_decoder."""

from typing import Any

import pytest
import torch
from tests.models.conftest import run
from torch import Tensor

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build, check_options
from posescope.models.encoder_decoder import EncoderDecoder
from posescope.models.layers import bottleneck_layers

RANDOM = {"name": "efficientnet_lite", "options": {"pretrained": False}}


def make(crop_size: tuple[int, int] = (64, 96), joints: int = 5, **options: Any) -> EncoderDecoder:
    torch.manual_seed(0)
    spec = ComponentSpec(name="encoder_decoder", options={"encoder": RANDOM, "channels": 8, **options})
    network: EncoderDecoder = build("models", spec, crop_size=crop_size, joint_count=joints)
    return network


@pytest.mark.parametrize(("decoder", "stride"), [("fpn", 4), ("fpn", 2), ("deconvolution", 4), ("deconvolution", 8)])
def test_heatmaps_have_the_stride_of_the_options(decoder: str, stride: int) -> None:
    network = make(decoder=decoder, stride=stride)
    outputs = network(torch.randn(2, 3, 64, 96))
    assert [tuple(output.shape) for output in outputs] == [(2, 5, *network.map_size)]
    assert network.map_size == (64 // stride, 96 // stride)


@pytest.mark.parametrize("decoder", ["fpn", "deconvolution"])
def test_short_names_are_in_the_order_of_the_pass(decoder: str) -> None:
    network, met = make(decoder=decoder).eval(), []

    def reader(name: str) -> Any:
        def read(value: Tensor) -> Tensor:
            met.append(name)
            return value

        return read

    images = torch.randn(1, 3, 64, 96)
    edited = run(network, images, {name: reader(name) for name in network.short_names})
    assert met == list(network.short_names)
    assert torch.equal(edited[-1], network(images)[-1])


def test_layers_of_explainability() -> None:
    network = make()
    assert bottleneck_layers(network) == (network.bottleneck_layer,) == ("encoder.stride32",)
    assert network.skip_layers == ("decoder.lateral4", "decoder.lateral8", "decoder.lateral16")
    assert make(decoder="deconvolution").skip_layers == ()


@pytest.mark.parametrize("layer", ["encoder.stride4", "encoder.stride32", "decoder.lateral8", "decoder.fused4"])
def test_intervention_of_each_layer_is_applied(layer: str) -> None:
    network, images = make().eval(), torch.randn(1, 3, 64, 96)
    assert not torch.allclose(network(images)[-1], run(network, images, {layer: torch.zeros_like})[-1], atol=1e-9)


def test_without_skips_only_the_bottleneck_counts() -> None:
    network, images = make().eval(), torch.randn(1, 3, 64, 96)
    zeroed = dict.fromkeys((*network.skip_layers, network.bottleneck_layer), torch.zeros_like)
    constant = run(network, images, zeroed)[-1]
    assert torch.equal(constant, run(network, torch.zeros_like(images), zeroed)[-1])
    without_skips = dict.fromkeys(network.skip_layers, torch.zeros_like)
    assert not torch.equal(constant, run(network, images, without_skips)[-1])


def test_images_are_divided_by_the_standard_deviation_of_the_weights() -> None:
    network, met = make().eval(), []
    network.encoder.register_forward_pre_hook(lambda _module, inputs: met.append(inputs[0]))
    network(torch.full((1, 3, 64, 96), 128 / 255))
    torch.testing.assert_close(met[0], torch.ones(1, 3, 64, 96))
    assert network.mean_rgb == pytest.approx((127 / 255,) * 3)


def test_initial_heatmaps_are_nearly_zero_and_all_weights_learn() -> None:
    network = make()
    (heatmaps,) = network(torch.randn(2, 3, 64, 96))
    assert heatmaps.abs().max() < 0.1
    (heatmaps - 1).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_one_step_of_gradient_descent_reduces_the_loss() -> None:
    network, images = make(), torch.randn(4, 3, 64, 96)
    target = torch.rand(4, 5, 16, 24)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        loss = (network(images)[0] - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[2] < losses[0]


@pytest.mark.parametrize("crop_size", [(96, 100), (48, 64), (0, 32)])
def test_crop_that_is_no_multiple_of_the_coarsest_stride_is_refused(crop_size: tuple[int, int]) -> None:
    with pytest.raises(OptionsError, match="multiples of 32 px"):
        make(crop_size)


def test_default_is_a_pretrained_encoder_with_a_pyramid() -> None:
    options = check_options("models", ComponentSpec(name="encoder_decoder"))
    assert (options.encoder.name, options.decoder) == ("efficientnet_lite", "fpn")
    network = build("models", ComponentSpec(name="encoder_decoder"), crop_size=(32, 32), joint_count=3)
    assert network.head.in_channels == 128
    wide = ComponentSpec(name="encoder_decoder", options={"decoder": "deconvolution"})
    assert build("models", wide, crop_size=(32, 32), joint_count=3).head.in_channels == 256


def test_stored_options_name_the_encoder() -> None:
    assert make().stored_options({"decoder": "fpn"}) == {"decoder": "fpn", "encoder": RANDOM}


def test_unknown_encoder_and_wrong_options_are_refused() -> None:
    with pytest.raises(OptionsError, match="efficientnet_lite"):
        make(encoder={"name": "efficientnet"})
    with pytest.raises(OptionsError, match="variant"):
        make(encoder={"name": "efficientnet_lite", "options": {"variant": 9}})
