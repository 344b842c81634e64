"""Tests of posescope.training.validation_grids."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.training import validation_grids as module
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train
from posescope.training.validation_grids import ImageGridFolder, draw_predictions

SMALL = {"batch_size": 8, "learning_rate": 1e-3, "device": "cpu"}


@pytest.fixture
def ready(untrained: PoseModel) -> PoseModel:
    untrained.network.eval()
    return untrained


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_annotation_is_left_and_prediction_right(ready: PoseModel, val_set: CropSet, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = {}

    def note(images: Any, columns: int, captions: Any, tile_size: Any, title: str) -> Any:
        shown.update(images=images, captions=captions, title=title)
        return np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(module, "draw_image_grid", note)
    truth = val_set.targets.joints[[0]]
    everything_right = replace(ready, codec=Echo(truth))
    draw_predictions(everything_right, val_set.subset(np.arange(1)), "title")
    labelled = int((val_set.targets.visibility[0] > 0).sum())
    assert shown["captions"] == [f"person 2000: {labelled} of {labelled} joints correct"]
    assert shown["title"] == "title (left annotated, right predicted)"
    (pair,) = shown["images"]
    assert pair.shape == (160, 322, 3)
    assert (pair[:, 160:162] == 255).all()
    # If all joints are predicted correctly and none is occluded, both sides are equal.
    visible = val_set.targets.visibility[0] == 2
    assert np.array_equal(pair[:, :160], pair[:, 162:]) == bool(visible[val_set.targets.visibility[0] > 0].all())


class Echo:
    """Codec whose decoder returns given joints."""

    def __init__(self, joints: np.ndarray) -> None:
        self.joints = joints

    def decode(self, heatmaps: torch.Tensor) -> Any:
        return type("Decoded", (), {"joints": torch.from_numpy(self.joints)})


def test_image_grid_of_few_and_of_many_persons(ready: PoseModel, train_set: CropSet) -> None:
    many = draw_predictions(ready, train_set, "many")
    one = draw_predictions(ready, train_set.subset(np.arange(1)), "one")
    assert many.dtype == one.dtype == np.uint8
    assert many.shape[1] == 3 * (322 + 4) + 4
    assert one.shape[1] == 322 + 8
    assert many.shape[0] > 4 * 160 > one.shape[0]


def test_image_grids_are_rgb_and_later_epochs_are_removed(tmp_path: Path) -> None:
    image_grids, red = ImageGridFolder(tmp_path / "image_grids"), np.zeros((4, 5, 3), np.uint8)
    assert not image_grids.is_finished()
    red[..., 0] = 200
    for epoch in (5, 10, 15):
        path = image_grids.write("f", epoch, red)
    assert cv2.imread(str(path))[0, 0].tolist() == [0, 0, 200]  # OpenCV reads BGR
    image_grids.write("other", 5, red)
    (tmp_path / "image_grids" / "f" / ".epoch_0020.99.tmp.png").touch()
    image_grids.begin("f", 10)
    assert names(tmp_path / "image_grids" / "f") == ["epoch_0005.png", "epoch_0010.png"]
    image_grids.begin("f", 0)
    assert names(tmp_path / "image_grids") == ["other"]
    assert image_grids.is_finished()


@pytest.mark.parametrize(("every", "expected"), [(2, [2, 4, 5]), (0, []), (9, [5])])
def test_image_grids_every_n_epochs_and_after_the_last(
    every: int, expected: list[int], untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    options = TrainingOptions(**SMALL, epochs=5, image_grid_every_epochs=every)
    image_grids = ImageGridFolder(tmp_path / "image_grids")
    train(untrained, train_set, val_set, options, CheckpointStore(tmp_path / "runs"), "f", image_grids=image_grids)
    assert sorted((tmp_path / "image_grids").rglob("*.png")) == [
        tmp_path / "image_grids" / "f" / f"epoch_{epoch:04d}.png" for epoch in expected
    ]


def test_image_grids_do_not_change_results(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    options = TrainingOptions(**SMALL, epochs=2, image_grid_every_epochs=1)
    with_sheets, without = (
        train(untrained, train_set, val_set, options, CheckpointStore(tmp_path / name), "f", image_grids=image_grids)
        for name, image_grids in (("with", ImageGridFolder(tmp_path / "image_grids")), ("without", None))
    )
    assert len(list((tmp_path / "image_grids").rglob("*.png"))) == 2
    other = without.model.network.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in with_sheets.model.network.state_dict().items())
