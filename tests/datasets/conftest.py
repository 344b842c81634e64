"""Fixture of a small untrained model."""

import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe


@pytest.fixture
def pose_model() -> PoseModel:
    model_spec = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 1, "bottleneck_residuals": 1})
    codec_spec = ComponentSpec(name="gaussian", options={"sigma_heatmap_px": 1.25})
    context = {"crop_size": (32, 32), "joint_count": len(COCO_PERSON)}
    torch.manual_seed(3)
    return PoseModel(
        network=build("models", model_spec, **context),
        codec=build("codecs", codec_spec, **context),
        skeleton=COCO_PERSON,
        crop_size=(32, 32),
        mean_rgb=(0.4, 0.3, 0.2),
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
        provenance={"epochs": 1},
    )
