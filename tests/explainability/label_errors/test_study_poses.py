from dataclasses import replace

import numpy as np
import pytest

from posescope.core.records import PosePredictions
from posescope.explainability.label_errors.study_poses import gather_poses


@pytest.fixture
def inputs(inputs_of, scattered_crops):
    targets = scattered_crops.targets
    found = PosePredictions(targets.person_ids, targets.joints + 2, np.full(targets.visibility.shape, 0.5, np.float32))
    return inputs_of(scattered_crops, predictions=found, split="val")


def test_fitted_persons_come_first(inputs) -> None:
    inputs = replace(inputs, fitted=replace(inputs.fitted.subset(np.arange(40)), split="train"))
    study = gather_poses(inputs, most=100, components=3, neighbours=4)
    assert len(study.poses) == 100
    assert study.is_judged.sum() == 60
    assert study.splits[[0, 39, 40, 99]].tolist() == ["train", "train", "val", "val"]
    joints = inputs.judged.crops.targets.joints
    assert study.poses.annotated[40:] == pytest.approx((joints + 0.5) / 32)
    assert study.poses.predicted - study.poses.annotated == pytest.approx(np.full((100, 2, 2), 2 / 32), abs=1e-6)


def test_at_most_so_many_persons(inputs) -> None:
    assert len(gather_poses(inputs, most=10, components=3, neighbours=4).poses) == 20


def test_crops_in_any_order(inputs) -> None:
    study = gather_poses(inputs, most=100, components=3, neighbours=4)
    rows = np.array([70, 3, 119])
    shown = study.shown_crops(rows, "full")
    images = inputs.judged.crops.read_images(rows % 60)
    assert (shown == images).all()
