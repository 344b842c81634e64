"""Fixtures of crops with coloured dots at the joints, which a network learns within seconds."""

import numpy as np
import pytest

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.geometry.crop_recipe import CropRecipe
from posescope.training.initialisation import build_untrained

# At 64 px the thesis's PCK allows 3.2 px, more than half the diagonal of a heatmap px (4 px): perfect heatmaps score 1.
SIZE = 64
DOTS = Skeleton(joints=("nose", "left_hand", "right_hand"), limbs=((0, 1), (0, 2)), oks_sigmas=(0.05, 0.05, 0.05))
COLOURS = np.array([[250, 30, 30], [30, 250, 30], [30, 30, 250]], dtype=np.uint8)


def make_dots(count: int, seed: int) -> CropSet:
    """`count` grey crops of 64x64 px with a red, a green and a blue dot; one joint in ten is unlabelled."""
    rng = np.random.default_rng(seed)
    joints = rng.integers(6, SIZE - 6, size=(count, 3, 2)).astype(np.float32)
    images = np.full((count, SIZE, SIZE, 3), 110, dtype=np.uint8)
    for person in range(count):
        for joint, (x, y) in enumerate(joints[person].astype(int)):
            images[person, y - 3 : y + 4, x - 3 : x + 4] = COLOURS[joint]
    visibility = rng.choice([0, 1, 2], size=(count, 3), p=[0.1, 0.2, 0.7]).astype(np.uint8)
    joints[visibility == 0] = np.nan
    locations = np.stack([np.arange(count) % 2, np.arange(count) // 2], axis=1)
    targets = PoseTargets(np.arange(count, dtype=np.int64) + 1000 * seed, joints, visibility, joint_names=DOTS.joints)
    return CropSet(targets, (images[::2], images[1::2]), locations)


@pytest.fixture
def train_set() -> CropSet:
    return make_dots(43, seed=1)


@pytest.fixture
def val_set() -> CropSet:
    return make_dots(13, seed=2)


@pytest.fixture
def untrained() -> PoseModel:
    options = {"channels": 16, "stem_channels": 8, "depth": 2, "bottleneck_residuals": 1, "stacks": 2}
    return build_untrained(
        model_spec=ComponentSpec(name="hourglass", options=options),
        codec_spec=ComponentSpec(name="gaussian", options={"stride": 4, "sigma_heatmap_px": 1.0}),
        skeleton=DOTS,
        crop_size=(SIZE, SIZE),
        mean_rgb=(0.43, 0.43, 0.43),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
        seed=7,
    )


@pytest.fixture(autouse=True)
def few_threads(one_thread: None) -> None:
    """Small networks are fastest on one thread, which also does not disturb other tests."""
