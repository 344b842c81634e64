from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activation_patching import (
    ActivationPatcher,
    constant_patch,
    describe_patching_obstacle,
    zero_patch,
)
from posescope.explainability.features.activations import read_activations
from posescope.explainability.features.feature_store import FeatureSet
from posescope.models.base import PoseNetwork
from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.models.hourglass_autoencoder import AutoencoderOptions, HourglassAutoencoder, HourglassAutoencoderOptions

SMALL = {"channels": 4, "depth": 1, "bottleneck_residuals": 1}
SHAPES = {"stack1.bottleneck": (4, 4, 4), "stack2.bottleneck": (4, 4, 4), "stack1.up1": (4, 8, 8), "stack1.code": (3, 1, 1)}


def network(stacks: int, autoencoder: bool) -> PoseNetwork:
    if not autoencoder:
        return Hourglass(HourglassOptions(stacks=stacks, **SMALL), (32, 32), 2)
    inner = AutoencoderOptions(code_size=3)
    return HourglassAutoencoder(HourglassAutoencoderOptions(stacks=stacks, autoencoder=inner, **SMALL), (32, 32), 2)


def images(count: int) -> Tensor:
    return torch.randint(0, 255, (count, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize(
    ("stacks", "autoencoder", "layer"),
    [
        (1, False, "stack1.bottleneck"),
        (1, False, "stack1.up1"),
        (2, False, "stack2.bottleneck"),
        (2, False, "stack1.bottleneck"),
        (1, True, "stack1.bottleneck"),
        (1, True, "stack1.code"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_patched_pass_equals_a_whole_pass(model, stacks, autoencoder, layer, count) -> None:
    torch.manual_seed(0)
    own = replace(model, network=network(stacks, autoencoder))
    inputs, values, interventions = images(count), torch.randn(3, *SHAPES[layer]), {"stack1.skip1": zero_patch}
    patcher = ActivationPatcher(own, layer, inputs, interventions)
    torch.testing.assert_close(patcher.heatmaps(), own.heatmaps(inputs, interventions), rtol=1e-4, atol=1e-5)
    whole = own.heatmaps(inputs.expand(3, 32, 32, 3), {**interventions, layer: constant_patch(values)})
    for _ in range(2):  # a patcher can be used again
        torch.testing.assert_close(patcher.heatmaps(values), whole, rtol=1e-4, atol=1e-5)


def test_network_without_pause_runs_whole(model) -> None:
    inputs, values = images(2), torch.randn(2, 3, 2, 2)
    patcher = ActivationPatcher(model, "bottleneck", inputs)
    torch.testing.assert_close(patcher.heatmaps(), model.heatmaps(inputs))
    torch.testing.assert_close(patcher.heatmaps(values), model.heatmaps(inputs, {"bottleneck": constant_patch(values)}))


@pytest.mark.parametrize(
    ("layer", "path"),
    [
        ("stack1.skip1", "hourglasses.0.skips.0"),
        ("stack2.bottleneck", "hourglasses.1.bottleneck"),
        ("stack2.up1", "hourglasses.1.ups.0"),
    ],
)
def test_layer_by_its_module_path_equals_the_short_name(model, layer, path) -> None:
    torch.manual_seed(0)
    own, inputs = replace(model, network=network(2, autoencoder=False)), images(1)
    values = torch.randn(3, *read_activations(own, inputs, [layer])[layer].shape[1:])
    patched = [ActivationPatcher(own, name, inputs, {"stack2.skip1": zero_patch}).heatmaps(values) for name in (layer, path)]
    assert torch.equal(*patched)


def test_constant_patch_gives_every_person_an_own_copy() -> None:
    activation = torch.randn(4, 3, 2, 2)
    constant = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    patched = constant_patch(constant)(activation)
    assert (patched.shape, patched.dtype) == (activation.shape, activation.dtype)
    patched += 1  # as a network may do in place
    torch.testing.assert_close(patched[3], constant[0].float() + 1)


def test_zero_patch_returns_zeros() -> None:
    assert not zero_patch(torch.randn(4, 3, 2, 2)).any()


def test_constant_patch_refuses_pooled_values() -> None:
    with pytest.raises(ExplainabilityError, match="pooled"):
        constant_patch(torch.ones(1, 3, 1, 1))(torch.zeros(4, 3, 2, 2))


@pytest.mark.parametrize(("shape", "possible"), [((3, 2, 2), True), ((3, 1, 1), False)])
def test_pooled_features_cannot_be_patched(model, shape, possible) -> None:
    features = FeatureSet(np.arange(2), np.ones((2, int(np.prod(shape)))), "bottleneck", shape)
    assert (describe_patching_obstacle(model, features) == "") is possible
