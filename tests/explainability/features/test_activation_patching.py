from dataclasses import replace

import pytest
import torch
from torch import Tensor

from posescope.explainability.features.activation_patching import ActivationPatcher
from posescope.explainability.features.activations import constant_patch, zeros
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
def test_what_is_taken_up_again_is_what_a_whole_pass_gives(model, stacks, autoencoder, layer, count) -> None:
    torch.manual_seed(0)
    own = replace(model, network=network(stacks, autoencoder))
    pictures, values, interventions = images(count), torch.randn(3, *SHAPES[layer]), {"stack1.skip1": zeros}
    put_back = ActivationPatcher(own, layer, pictures, interventions)
    torch.testing.assert_close(put_back.heatmaps(), own.heatmaps(pictures, interventions), rtol=1e-4, atol=1e-5)
    whole = own.heatmaps(pictures.expand(3, 32, 32, 3), {**interventions, layer: constant_patch(values)})
    for _ in range(2):  # nothing is used up
        torch.testing.assert_close(put_back.heatmaps(values), whole, rtol=1e-4, atol=1e-5)


def test_a_network_that_cannot_be_paused_passes_whole(model) -> None:
    pictures, values = images(2), torch.randn(2, 3, 2, 2)
    put_back = ActivationPatcher(model, "bottleneck", pictures)
    torch.testing.assert_close(put_back.heatmaps(), model.heatmaps(pictures))
    torch.testing.assert_close(put_back.heatmaps(values), model.heatmaps(pictures, {"bottleneck": constant_patch(values)}))
