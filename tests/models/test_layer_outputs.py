"""Tests of posescope.models.layer_outputs."""

from collections import OrderedDict, namedtuple

import pytest
import torch
from torch import Tensor, nn

from posescope.models.layer_outputs import LayerOutput, activation_in, find_narrowest, record_outputs, replace_activation

MAP, TOKENS, VECTOR = torch.zeros(2, 3, 4, 5), torch.zeros(2, 17, 8), torch.zeros(2, 8)
Pair = namedtuple("Pair", ["hidden", "attention"])


@pytest.mark.parametrize("value", [MAP, TOKENS, VECTOR])
def test_activation_is_the_tensor_or_the_first_of_a_tuple(value: Tensor) -> None:
    assert activation_in(value) is value
    assert activation_in((value,)) is value
    assert activation_in((value, None, torch.zeros(2))) is value


@pytest.mark.parametrize(
    "output",
    [
        [MAP],
        [MAP, MAP],
        (MAP, MAP),
        (TOKENS, torch.zeros(2, 17, 17)),
        (MAP, (MAP,)),
        (),
        None,
        torch.zeros(3),
        torch.zeros(1, 2, 3, 4, 5),
        OrderedDict(hidden=MAP),
    ],
)
def test_ambiguous_output_has_no_activation(output: object) -> None:
    assert activation_in(output) is None


def test_replaced_activation_keeps_the_rest_and_the_type() -> None:
    assert replace_activation(MAP, TOKENS) is TOKENS
    assert replace_activation((MAP, 3), TOKENS) == (TOKENS, 3)
    replaced = replace_activation(Pair(MAP, 3), TOKENS)
    assert isinstance(replaced, Pair)
    assert replaced.hidden is TOKENS


def test_recording_lists_layers_as_they_finish_and_restores_the_mode() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Dropout(0.5)), nn.Flatten())
    network[0].eval()
    output, layers = record_outputs(network, torch.zeros(2, 3, 4, 4))
    assert output.shape == (2, 16)
    assert [(one.layer, one.shape) for one in layers] == [
        ("0.0", (2, 4, 2, 2)), ("0.1", (2, 4, 2, 2)), ("0", (2, 4, 2, 2)), ("1", (2, 16)),
    ]  # fmt: skip
    assert network.training
    assert not network[0].training
    assert not any(module._forward_hooks for module in network.modules())


def test_narrowest_is_the_last_with_the_fewest_positions() -> None:
    layers = [
        LayerOutput("stem", (2, 8, 16, 16)),
        LayerOutput("pool", (2, 64, 1, 1)),  # squeeze-and-excitation
        LayerOutput("deep.0", (2, 64, 2, 2)),
        LayerOutput("deep", (2, 64, 2, 2)),
        LayerOutput("pair", None),
        LayerOutput("other", (6, 64, 2, 1)),  # another first dimension
        LayerOutput("again", (2, 64, 2, 2)),
        LayerOutput("again", (2, 64, 2, 2)),
        LayerOutput("head", (2, 3, 2, 2)),
    ]
    assert find_narrowest(layers, 2, (2, 3, 2, 2)) == "deep"
    assert find_narrowest(layers[:2], 2, (2, 8, 16, 16)) is None
    assert find_narrowest([], 2, ()) is None


def test_class_token_does_not_hide_the_last_layer_of_a_transformer() -> None:
    layers = [LayerOutput("patches", (2, 96, 8, 6)), LayerOutput("norm", (2, 49, 96)), LayerOutput("up", (2, 32, 16, 12))]
    assert find_narrowest(layers, 2, (2, 17, 32, 24)) == "norm"
