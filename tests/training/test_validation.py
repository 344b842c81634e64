"""Tests of posescope.training.validation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.models.base import PoseNetwork
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions
from posescope.training.validation import validate

LOSS = MeanSquaredError(MeanSquaredErrorOptions())


class Oracle(PoseNetwork):
    """Network that returns the heatmaps of given joints; its first stack returns zeros."""

    def __init__(self, heatmaps: Tensor) -> None:
        super().__init__()
        self.heatmaps, self.place = torch.nn.Parameter(heatmaps), 0

    def forward(self, images: Tensor) -> list[Tensor]:
        assert not self.training
        maps = self.heatmaps[self.place : self.place + len(images)]
        self.place += len(images)
        return [torch.zeros_like(maps), maps]


def oracle(untrained: PoseModel, crops: CropSet) -> tuple[PoseModel, Tensor]:
    targets = crops.targets
    encoded = untrained.codec.encode(torch.from_numpy(targets.joints), torch.from_numpy(targets.visibility))
    weighted = encoded.heatmaps.square().mean(dim=(2, 3)) * encoded.weights
    return replace(untrained, network=Oracle(encoded.heatmaps)), weighted.mean()


def test_perfect_heatmaps_score_one_and_an_empty_stack_adds_its_loss(untrained: PoseModel, val_set: CropSet) -> None:
    model, expected_loss = oracle(untrained, val_set)
    result = validate(model, val_set, LOSS, batch_size=5)
    assert result.pck_thesis == 1.0
    assert result.loss == pytest.approx(expected_loss.item())


def test_person_without_labels_does_not_count_in_pck(untrained: PoseModel, val_set: CropSet) -> None:
    visibility, joints = val_set.targets.visibility.copy(), val_set.targets.joints.copy()
    visibility[0], joints[0] = 0, np.nan
    unlabelled_set = replace(val_set, targets=replace(val_set.targets, visibility=visibility, joints=joints))
    model, _ = oracle(untrained, unlabelled_set)
    assert validate(model, unlabelled_set, LOSS, batch_size=20).pck_thesis == 1.0


def test_pck_without_labels_is_nan(untrained: PoseModel, val_set: CropSet) -> None:
    targets = replace(
        val_set.targets, visibility=np.zeros_like(val_set.targets.visibility), joints=np.full_like(val_set.targets.joints, np.nan)
    )
    model, _ = oracle(untrained, replace(val_set, targets=targets))
    assert np.isnan(validate(model, replace(val_set, targets=targets), LOSS, batch_size=20).pck_thesis)
