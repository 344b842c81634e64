"""Tests of posescope.prediction.backends.torch_backend."""

from pathlib import Path

import numpy as np
import pytest
import torch

from posescope.artifacts.description import ModelFolderError
from posescope.artifacts.pose_model import PoseModel
from posescope.prediction.backends.torch_backend import TorchBackend


@pytest.fixture
def crops() -> np.ndarray:
    """Return two crops with a red pixel at (3, 4) and a green one at (50, 60)."""
    crops = np.zeros((2, 64, 64, 3), np.uint8)
    crops[:, 4, 3] = (255, 0, 0)
    crops[:, 60, 50] = (0, 255, 0)
    return crops


def test_joints_are_decoded_in_crop_px(spots: PoseModel, crops: np.ndarray) -> None:
    found = TorchBackend(spots).run(crops)
    np.testing.assert_array_equal(found.joints, [[[3, 4], [50, 60]]] * 2)
    assert (found.joints.dtype, found.scores.dtype) == (np.float32, np.float32)


def test_flip_test_averages_both_heatmaps(spots: PoseModel, crops: np.ndarray) -> None:
    plain, mirrored = spots.heatmap_pair(torch.from_numpy(crops))
    averaged = TorchBackend(spots).heatmaps(crops, flip_test=True)
    torch.testing.assert_close(averaged, (plain + mirrored) / 2, rtol=0, atol=0)
    assert not torch.equal(plain, mirrored)


def test_predictions_that_are_not_finite_are_an_error_for_a_model_folder(spots: PoseModel, crops: np.ndarray) -> None:
    with torch.no_grad():
        spots.network.scale.fill_(torch.nan)  # type: ignore[operator, union-attr]
    with pytest.raises(ModelFolderError):
        TorchBackend(spots, folder=Path("model")).run(crops)
