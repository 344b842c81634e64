"""Tests of posescope.models.hourglass_autoencoder."""

import pytest
import torch

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, check_options
from posescope.models.complexity import count_parameters
from posescope.models.hourglass_autoencoder import Autoencoder, AutoencoderOptions

SMALL = AutoencoderOptions(channels=(6, 5), code_size=3)


def make(options: AutoencoderOptions = SMALL) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(options, in_channels=8, size=(2, 3))


def test_study_network_has_the_published_size() -> None:
    # 3x3: 256->192 442,560; 192->128 221,312; 128->64 73,792; and mirrored 73,856, 221,376, 442,624.
    # Linear: 1024->50 51,250; 50->1024 52,224.
    study = Autoencoder(AutoencoderOptions(), in_channels=256, size=(4, 4))
    assert count_parameters(study) == 1_578_994
    assert study.encode(torch.zeros(2, 256, 4, 4)).shape == (2, 50, 1, 1)


def test_shapes_of_code_and_features() -> None:
    features = torch.randn(4, 8, 2, 3)
    code = make().encode(features)
    assert code.shape == (4, 3, 1, 1)
    assert make().decode(code).shape == make()(features).shape == features.shape


def test_channels_last_features_have_the_same_code() -> None:
    features = torch.randn(4, 8, 2, 3)
    torch.testing.assert_close(make().encode(features.contiguous(memory_format=torch.channels_last)), make().encode(features))


def test_code_is_non_negative_with_relu_only() -> None:
    features = 5 * torch.randn(64, 8, 2, 3)
    signed = make(SMALL.model_copy(update={"code_activation": "none"})).encode(features)
    assert (signed < 0).any()
    torch.testing.assert_close(make().encode(features), signed.relu())


def test_reconstruction_has_both_signs() -> None:
    restored = make()(5 * torch.randn(64, 8, 2, 3))
    assert (restored < 0).any()
    assert (restored > 0).any()


def test_reconstruction_depends_on_the_code_only() -> None:
    autoencoder, features = make(), torch.randn(2, 8, 2, 3)
    assert torch.equal(autoencoder(features), autoencoder.decode(autoencoder.encode(features)))


def test_autoencoder_learns_low_dimensional_features() -> None:
    torch.manual_seed(0)
    # Features on a line through the origin: one number per person describes them.
    features = torch.linspace(0.5, 1.5, 16)[:, None, None, None] * torch.randn(1, 8, 2, 3)
    autoencoder = make()
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
