"""Tests of `posescope.codecs.base.encode_weighted`: joints that a data set does not annotate weigh nothing with every codec."""

import pytest
import torch

from posescope.codecs.base import Codec, encode_weighted
from posescope.core.plugins import ComponentSpec, build
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions

CODECS = [
    ComponentSpec(name="thesis"),
    ComponentSpec(name="thesis_256"),
    ComponentSpec(name="gaussian"),
    ComponentSpec(name="gaussian", options={"weight_unlabelled": 0.5}),
]
JOINTS = torch.tensor([[[8.0, 8.0], [20.0, 12.0], [float("nan"), float("nan")]]])
VISIBILITY = torch.tensor([[2, 1, 0]], dtype=torch.uint8)
ABSENT = torch.tensor([[2.0, 1.0, 0.0]])


def codec_of(spec: ComponentSpec) -> Codec:
    codec: Codec = build("codecs", spec, crop_size=(32, 32), joint_count=3)
    return codec


@pytest.mark.parametrize("spec", CODECS, ids=str)
def test_absent_joint_has_no_loss_and_no_gradient(spec) -> None:
    targets = encode_weighted(codec_of(spec), JOINTS, VISIBILITY, ABSENT)
    predicted = torch.full_like(targets.heatmaps, 3.0).requires_grad_()
    loss = MeanSquaredError(MeanSquaredErrorOptions(foreground_weight=40))(predicted, targets.heatmaps, targets.weights)
    loss.backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None
    assert float(predicted.grad[0, 2].abs().max()) == 0
    assert float(predicted.grad[0, 0].abs().min()) > 0
    moved = predicted.detach().clone()
    moved[0, 2] = -1e3
    again = MeanSquaredError(MeanSquaredErrorOptions(foreground_weight=40))(moved, targets.heatmaps, targets.weights)
    assert float(again) == float(loss.detach())


@pytest.mark.parametrize("spec", CODECS, ids=str)
def test_weight_of_a_joint_multiplies_that_of_the_codec(spec) -> None:
    codec = codec_of(spec)
    plain = codec.encode(JOINTS, VISIBILITY)
    found = encode_weighted(codec, JOINTS, VISIBILITY, ABSENT)
    assert found.weights.tolist() == [[2 * float(plain.weights[0, 0]), float(plain.weights[0, 1]), 0.0]]
    assert torch.equal(found.heatmaps, plain.heatmaps)


def test_without_weights_the_targets_are_those_of_the_codec() -> None:
    codec = codec_of(CODECS[0])
    assert torch.equal(encode_weighted(codec, JOINTS, VISIBILITY, None).weights, codec.encode(JOINTS, VISIBILITY).weights)
    # An annotated joint that is only unlabelled keeps its weight with this codec.
    assert codec.encode(JOINTS, VISIBILITY).weights.tolist() == [[1, 1, 1]]
