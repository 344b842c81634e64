"""Fixtures of a network whose heatmaps are the red (left hand) and green (right hand) channels, so that joints are known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.base import PoseNetwork
from posescope.prediction.backends.torch_backend import TorchBackend
from posescope.prediction.estimator import PoseEstimator

CROP = (64, 64)
HANDS = Skeleton(joints=("left_hand", "right_hand"), limbs=((0, 1),), oks_sigmas=(0.05, 0.05), category_id=5)
RED, GREEN = (255, 0, 0), (0, 255, 0)


class BrightSpots(PoseNetwork):
    """Network that returns the red and the green channel as heatmaps with stride 1."""

    map_size = CROP

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images[:, :2] * self.scale]


@pytest.fixture
def spots() -> PoseModel:
    """Return a model that finds the reddest and the greenest pixel of a 64 x 64 crop."""
    codec = ComponentSpec(name="gaussian", options={"stride": 1, "sigma_heatmap_px": 1.0, "decoder": "argmax"})
    return PoseModel(
        network=BrightSpots(),
        codec=build("codecs", codec, crop_size=CROP, joint_count=2),
        skeleton=HANDS,
        crop_size=CROP,
        mean_rgb=(0.0, 0.0, 0.0),
        model_spec=ComponentSpec(name="spots"),
        codec_spec=codec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
    )


@pytest.fixture
def spots_estimator(spots: PoseModel) -> PoseEstimator:
    """Return an estimator with the model `spots`."""
    return PoseEstimator(cast(Any, spots), TorchBackend(spots))


WriteImage = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def write_image(tmp_path: Path) -> WriteImage:
    """Return a function that writes a black image with a red and a green pixel, both (x, y), to `tmp_path/images`."""

    def write(name: str, size: tuple[int, int], red: tuple[int, int], green: tuple[int, int]) -> NDArray[np.uint8]:
        image = np.zeros((*size, 3), dtype=np.uint8)
        for (x, y), colour in ((red, RED), (green, GREEN)):
            image[y, x] = colour
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]))
        return image

    return write
