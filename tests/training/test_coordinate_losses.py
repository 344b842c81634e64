"""Tests of posescope.training.coordinate_losses."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import Codec, EncodedTargets
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.metrics.oks import joint_similarities
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.gradients import EagerGradients
from posescope.training.losses import Loss, build_loss, supervise, uses_joints
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train

SIZE = (4, 8)  # height, width of the heatmaps
SKELETON = Skeleton(joints=("nose", "left_hand"), limbs=((0, 1),), oks_sigmas=(0.05, 0.1))


def make_codec(name: str = "gaussian", **options: Any) -> Codec:
    spec = ComponentSpec(name=name, options={"stride": 2, **options})
    codec: Codec = build("codecs", spec, crop_size=(2 * SIZE[0], 2 * SIZE[1]), joint_count=2)
    return codec


def make_loss(name: str, **options: Any) -> Loss:
    return build_loss(ComponentSpec(name=name, options=options), make_codec(temperature=0.01), SKELETON)


def peaks_at(*places: tuple[int, int]) -> Tensor:
    """Heatmaps (1, K, *SIZE) of height 1 at (x, y), which the low temperature of `make_loss` decodes exactly."""
    maps = torch.zeros(1, len(places), *SIZE)
    for joint, (x, y) in enumerate(places):
        maps[0, joint, y, x] = 1.0
    return maps


def apply(loss: Loss, predicted: Tensor, joints: Tensor, weight: Tensor | None = None, target: Tensor | None = None) -> Tensor:
    target = torch.zeros_like(predicted) if target is None else target
    weight = torch.ones(joints.shape[:2]) if weight is None else weight
    return supervise([predicted], EncodedTargets(target, weight, joints), loss)


def test_smooth_l1_by_hand() -> None:
    loss = make_loss("integral", heatmap_weight=0, coordinate_weight=3, transition_heatmap_px=1)
    predicted, joints = peaks_at((5, 1), (2, 2)), torch.tensor([[[2.0, 1.5], [2.0, 2.0]]])
    # joint 1: x is 3 px off (3 - 0.5), y 0.5 px (0.125), as a fraction of 8 px; weight 2; joint 2: 0; mean of both, times 3
    assert apply(loss, predicted, joints, torch.tensor([[2.0, 1.0]])).item() == pytest.approx(3 * (2 * 2.625 / 8) / 2, rel=1e-4)
    plain = make_loss("integral", heatmap_weight=0, transition_heatmap_px=0)
    assert apply(plain, predicted, joints).item() == pytest.approx((3.5 / 8) / 2, rel=1e-4)


def test_oks_agrees_with_the_metric() -> None:
    loss = make_loss("oks", heatmap_weight=0, area_fraction=0.5)
    predicted, joints = peaks_at((5, 1), (2, 2)), torch.tensor([[[4.0, 1.5], [2.0, 3.0]]])
    places = np.array([[[5.0, 1.0], [2.0, 2.0]]])
    similarities = joint_similarities(places, joints.double().numpy(), np.array([0.5 * math.prod(SIZE)]), SKELETON.oks_sigmas)
    assert apply(loss, predicted, joints).item() == pytest.approx(1 - similarities.mean(), rel=1e-4)
    assert 0.1 < similarities.mean() < 0.9


@pytest.mark.parametrize("name", ["integral", "oks"])
def test_heatmaps_are_compared_as_by_mse(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.rand(3, 2, *SIZE, generator=generator), torch.rand(3, 2, *SIZE, generator=generator)
    weight, joints = torch.rand(3, 2, generator=generator), torch.full((3, 2, 2), torch.nan)
    mse = build_loss(ComponentSpec(name="mse", options={"foreground_weight": 7}), make_codec(), SKELETON)
    loss = make_loss(name, foreground_weight=7, heatmap_weight=2)
    # No joint is labelled, so only the heatmaps count.
    expected = 2 * apply(mse, predicted, joints, weight, target)
    torch.testing.assert_close(apply(loss, predicted, joints, weight, target), expected)


@pytest.mark.parametrize("name", ["integral", "oks"])
def test_unlabelled_joint_has_no_gradient_of_its_place_and_no_nan(name: str) -> None:
    predicted = (0.01 * torch.rand(1, 2, *SIZE)).requires_grad_()
    joints = torch.tensor([[[torch.nan, torch.nan], [1.0, 1.0]]])
    loss = build_loss(ComponentSpec(name=name, options={"heatmap_weight": 0}), make_codec(temperature=1.0), SKELETON)
    apply(loss, predicted, joints).backward()
    assert not predicted.grad[0, 0].any()
    assert torch.isfinite(predicted.grad).all()
    # A higher value at the joint's place brings the mean place nearer, so the loss falls with it.
    assert predicted.grad[0, 1, 1, 1] < 0 < predicted.grad[0, 1, 3, 7]


def test_gradients_agree_with_finite_differences() -> None:
    loss = build_loss(ComponentSpec(name="oks", options={"area_fraction": 1.0}), make_codec(temperature=1.0), SKELETON)
    predicted = torch.rand(1, 2, *SIZE, requires_grad=True)
    joints = torch.tensor([[[3.0, 1.0], [4.0, 2.0]]])
    gradient = torch.autograd.grad(apply(loss, predicted, joints), predicted)[0]
    with torch.no_grad():
        step = torch.zeros_like(predicted)
        step[0, 1, 2, 3] = 0.05
        numeric = (apply(loss, predicted + step, joints) - apply(loss, predicted - step, joints)) / 0.1
    assert gradient[0, 1, 2, 3].item() == pytest.approx(numeric.item(), rel=0.02)


def test_codec_gives_heatmap_px_and_nan_for_unlabelled_joints() -> None:
    targets = make_codec().encode(torch.tensor([[[0.5, 2.5], [3.0, 3.0]]]), torch.tensor([[2, 0]]))
    assert targets.joints is not None
    assert targets.joints[0, 0].tolist() == [0.0, 1.0]  # (0.5 + 0.5) / 2 - 0.5 and (2.5 + 0.5) / 2 - 0.5
    assert targets.joints[0, 1].isnan().all()


def test_other_codecs_are_refused() -> None:
    for name in ("integral", "oks"):
        with pytest.raises(OptionsError, match="ThesisCodec"):
            build_loss(ComponentSpec(name=name), make_codec("thesis"), SKELETON)
    mse = build_loss(ComponentSpec(name="mse"), make_codec("thesis"), SKELETON)
    assert not uses_joints(mse)


def test_step_passes_the_joints_on(untrained: PoseModel, train_set: CropSet) -> None:
    loss = build_loss(ComponentSpec(name="integral", options={"heatmap_weight": 0}), untrained.codec, untrained.skeleton)
    joints, visibility = (torch.from_numpy(values[:2]) for values in (train_set.targets.joints, train_set.targets.visibility))
    targets = untrained.codec.encode(joints, visibility)
    step = EagerGradients(untrained.network, loss, False, torch.contiguous_format)
    assert step(torch.rand(2, 3, 64, 64), targets, 1.0).item() > 0
    labelled = replace(targets, joints=torch.full_like(joints, torch.nan))
    assert step(torch.rand(2, 3, 64, 64), labelled, 1.0).item() == 0


@pytest.mark.parametrize("name", ["integral", "oks"])
def test_dots_are_learnt(name: str, untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    options = TrainingOptions(
        epochs=12, batch_size=8, learning_rate=4e-3, device="cpu", seed=5, loss=ComponentSpec(name=name),
        schedule={"name": "one_cycle"},  # type: ignore[arg-type]
    )  # fmt: skip
    spec = ComponentSpec(name="gaussian", options={"sigma_heatmap_px": 1.0, "decoder": "integral"})
    codec = build("codecs", spec, crop_size=untrained.crop_size, joint_count=3)
    outcome = train(replace(untrained, codec=codec, codec_spec=spec), train_set, val_set, options, CheckpointStore(tmp_path), "f")
    assert max(record.val_pck_thesis for record in outcome.history) > 0.7
    assert outcome.history[-1].val_loss < 0.6 * outcome.history[0].val_loss
