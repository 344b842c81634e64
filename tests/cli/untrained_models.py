"""Model folders of untrained networks, for tests of commands."""

from pathlib import Path

import torch

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.plain_modules import build_network

SMALL = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 2, "stem_channels": 8})


def save_untrained(folder: Path, network: ComponentSpec = SMALL, seed: int = 0) -> Path:
    """Save an untrained network for COCO's joints and crops of 32 px."""
    codec = ComponentSpec(name="gaussian")
    context = {"crop_size": (32, 32), "joint_count": len(COCO_PERSON)}
    torch.manual_seed(seed)
    untrained = PoseModel(
        network=build_network(network, (32, 32), len(COCO_PERSON)).eval(),
        codec=build("codecs", codec, **context),
        skeleton=COCO_PERSON,
        crop_size=(32, 32),
        mean_rgb=(0.4, 0.5, 0.6),
        model_spec=network,
        codec_spec=codec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
    )
    save_model(folder, untrained)
    return folder
