"""Tests of posescope.models.hourglass_autoencoder: the network, and its autoencoder alone."""

from typing import Any

import pytest
import torch
from tests.models.conftest import run
from torch import Tensor

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build, check_options
from posescope.models.complexity import count_macs, count_parameters
from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.models.hourglass_autoencoder import (
    Autoencoder,
    AutoencoderOptions,
    HourglassAutoencoder,
    HourglassAutoencoderOptions,
)
from posescope.models.layers import intervene

SMALL = {"channels": 8, "depth": 2, "bottleneck_residuals": 1}
AUTOENCODER = AutoencoderOptions(channels=(6,), code_size=3)
CROP = (32, 48)


def make(**options: Any) -> HourglassAutoencoder:
    torch.manual_seed(0)
    return HourglassAutoencoder(HourglassAutoencoderOptions(**SMALL, autoencoder=AUTOENCODER, **options), CROP, 5)


def make_plain(**options: Any) -> Hourglass:
    torch.manual_seed(1)
    return Hourglass(HourglassOptions(**SMALL, **options), CROP, 5)


def make_autoencoder(seed: int = 2) -> Autoencoder:
    torch.manual_seed(seed)
    return Autoencoder(AUTOENCODER, in_channels=8, size=(2, 3))


def read(network: Hourglass, images: Tensor) -> dict[str, Tensor]:
    values: dict[str, Tensor] = {}

    def reader(name: str) -> Any:
        return lambda value: values.setdefault(name, value)

    run(network, images, {name: reader(name) for name in network.short_names})
    return values


def test_study_network_has_the_published_size() -> None:
    options = {"residual_skip": "3x3", "head": "thesis"}
    study = build("models", ComponentSpec(name="hourglass_autoencoder", options=options), crop_size=(256, 256), joint_count=17)
    assert count_parameters(study) == 14_526_053 + 1_578_994
    plain = Hourglass(HourglassOptions(**options), (256, 256), 17)
    # 16 places x 3x3 x the channels in and out, and the two linear layers of 1024 x 50.
    own = 2 * 16 * 9 * (256 * 192 + 192 * 128 + 128 * 64) + 2 * 1024 * 50
    assert count_macs(study, (256, 256)) - count_macs(plain, (256, 256)) == own


@pytest.mark.parametrize("options", [{}, {"stacks": 2}, {"skip": "none"}])
def test_layers_include_the_code_in_order_of_the_pass(options: dict[str, Any]) -> None:
    network, images = make(**options).eval(), torch.randn(2, 3, *CROP)
    values = read(network, images)
    assert list(values) == list(network.short_names)
    last = options.get("stacks", 1)
    assert network.bottleneck_layer == f"stack{last}.bottleneck"
    for stack in range(1, last + 1):
        assert values[f"stack{stack}.code"].shape == (2, 3, 1, 1)
        assert values[f"stack{stack}.restored"].shape == values[f"stack{stack}.bottleneck"].shape == (2, 8, 2, 3)
    assert [tuple(output.shape) for output in network(images)] == [(2, 5, 8, 12)] * last


def test_activations_of_code_and_restored_are_those_of_the_autoencoder() -> None:
    network = make().eval()
    values = read(network, torch.randn(2, 3, *CROP))
    own = network.autoencoders[0]
    assert torch.equal(values["stack1.code"], own.encode(values["stack1.bottleneck"]))
    assert torch.equal(values["stack1.restored"], own.decode(values["stack1.code"]))


def test_output_depends_on_the_code_only_without_skips() -> None:
    network = make(skip="none").eval()
    code = torch.rand(1, 3, 1, 1)
    interventions = {"stack1.code": code.expand_as}
    first, second = (run(network, torch.randn(1, 3, *CROP), interventions)[-1] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.allclose(first, run(network, torch.randn(1, 3, *CROP), {"stack1.code": torch.zeros_like})[-1])


def test_all_parameters_have_gradients() -> None:
    network = make(stacks=2)
    sum(output.square().mean() for output in network(torch.randn(2, 3, *CROP))).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_resumed_pass_includes_the_autoencoder() -> None:
    network, images = make(stacks=2).eval(), torch.randn(2, 3, *CROP)
    whole = network(images)
    assert all(torch.equal(a, b) for a, b in zip(whole, network.resume(network.pause(images)), strict=True))
    paused, interventions = network.pause(images), {"stack2.code": torch.zeros_like}
    with intervene(network, interventions):
        resumed = network.resume(paused)
    assert torch.equal(resumed[-1], run(network, images, interventions)[-1])


@pytest.mark.parametrize("stacks", [1, 2])
def test_separately_trained_parts_are_composed(stacks: int) -> None:
    plain, autoencoders = make_plain(stacks=stacks).eval(), [make_autoencoder(seed) for seed in range(stacks)]
    network = make(stacks=stacks).eval()
    network.load_state_dict(plain.state_dict(), strict=False)
    network.autoencoders.load_state_dict(torch.nn.ModuleList(autoencoders).state_dict())
    images = torch.randn(2, 3, *CROP)
    # The plain network with the autoencoders applied at its bottlenecks by hand, and the composed one.
    interventions = {f"stack{stack}.bottleneck": autoencoder for stack, autoencoder in enumerate(autoencoders, start=1)}
    assert all(torch.equal(a, b) for a, b in zip(run(plain, images, interventions), network(images), strict=True))


def test_identity_autoencoder_does_not_change_the_output() -> None:
    plain, network, images = make_plain().eval(), make().eval(), torch.randn(2, 3, *CROP)
    network.load_state_dict(plain.state_dict(), strict=False)
    bottleneck = read(plain, images)["stack1.bottleneck"]
    assert torch.equal(run(network, images, {"stack1.restored": lambda _: bottleneck})[-1], plain(images)[-1])


SMALL_CODE = AutoencoderOptions(channels=(6, 5), code_size=3)


def make_plain_autoencoder(options: AutoencoderOptions = SMALL_CODE) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(options, in_channels=8, size=(2, 3))


def test_study_autoencoder_has_the_published_size() -> None:
    # 3x3: 256->192 442,560; 192->128 221,312; 128->64 73,792; and mirrored 73,856, 221,376, 442,624.
    # Linear: 1024->50 51,250; 50->1024 52,224.
    study = Autoencoder(AutoencoderOptions(), in_channels=256, size=(4, 4))
    assert count_parameters(study) == 1_578_994
    assert study.encode(torch.zeros(2, 256, 4, 4)).shape == (2, 50, 1, 1)


def test_shapes_of_code_and_features() -> None:
    features = torch.randn(4, 8, 2, 3)
    code = make_plain_autoencoder().encode(features)
    assert code.shape == (4, 3, 1, 1)
    assert make_plain_autoencoder().decode(code).shape == make_plain_autoencoder()(features).shape == features.shape


def test_channels_last_features_have_the_same_code() -> None:
    features = torch.randn(4, 8, 2, 3)
    torch.testing.assert_close(
        make_plain_autoencoder().encode(features.contiguous(memory_format=torch.channels_last)),
        make_plain_autoencoder().encode(features),
    )


def test_code_is_non_negative_with_relu_only() -> None:
    features = 5 * torch.randn(64, 8, 2, 3)
    signed = make_plain_autoencoder(SMALL_CODE.model_copy(update={"code_activation": "none"})).encode(features)
    assert (signed < 0).any()
    torch.testing.assert_close(make_plain_autoencoder().encode(features), signed.relu())


def test_reconstruction_has_both_signs() -> None:
    restored = make_plain_autoencoder()(5 * torch.randn(64, 8, 2, 3))
    assert (restored < 0).any()
    assert (restored > 0).any()


def test_reconstruction_depends_on_the_code_only() -> None:
    autoencoder, features = make_plain_autoencoder(), torch.randn(2, 8, 2, 3)
    assert torch.equal(autoencoder(features), autoencoder.decode(autoencoder.encode(features)))


def test_autoencoder_learns_low_dimensional_features() -> None:
    torch.manual_seed(0)
    # Features on a line through the origin: one number per person describes them.
    features = torch.linspace(0.5, 1.5, 16)[:, None, None, None] * torch.randn(1, 8, 2, 3)
    autoencoder = make_plain_autoencoder()
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=0.01)
    for _ in range(300):
        optimiser.zero_grad()
        loss = (autoencoder(features) - features).square().mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.01 * features.var().item()


@pytest.mark.parametrize(
    "options", [{"channels": []}, {"channels": [0]}, {"code_size": 0}, {"code_activation": "tanh"}, {"dims": 3}]
)
def test_option_out_of_bounds_is_named(options: dict[str, object]) -> None:
    (name,) = options
    with pytest.raises(OptionsError, match=rf"autoencoder\.{name}"):
        check_options("models", ComponentSpec(name="hourglass_autoencoder", options={"autoencoder": options}))
