"""A toy network with known activations and known contributions of its skip connections, and crops with planted factors."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PosePredictions, PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.base import AnalysisInputs, StudyPersons
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_extraction import FeatureStore, extract_features
from posescope.explainability.features.feature_store import FeatureSet
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.base import PoseNetwork

SIDE = 32
# Options of the analysis `clusters` for tests: with its defaults a test takes seconds.
QUICK_CLUSTERS = {
    "null_draws": 3, "stability_splits": 2, "resamples": 200, "shuffles": 100,
    "clusterer": {"name": "kmeans", "options": {"largest": 4, "restarts": 4}},
}  # fmt: skip
OTHER_IMAGES = 1_000_000  # added to the images of judged persons: images of fitted ones
TOY_SKELETON = Skeleton(joints=("left_dot", "right_dot"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1))


class ToyNetwork(PoseNetwork):
    """Predict joint 0 at the red dot and joint 1 at the blue one.

    The bottleneck (3 x 2 x 2) encodes the quarter of the crop, `fine` (3 x 8 x 8) the cell; `idle` has no effect.
    """

    def __init__(self) -> None:
        super().__init__()
        self.map_size = (8, 8)
        self.bottleneck_layer = "bottleneck"
        self.skip_layers = ("fine", "idle")
        self.fine, self.idle, self.bottleneck = nn.Identity(), nn.Identity(), nn.Identity()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.fine(F.avg_pool2d(images, 4) * self.gain)
        idle = self.idle(fine + 1)
        coarse = self.bottleneck(F.avg_pool2d(images, 16) * self.gain)
        maps = 16 * F.interpolate(coarse, size=(8, 8)) + 0.1 * fine + 0 * idle
        return [maps[:, [0, 2]]]


def dots_image(dots: list[tuple[int, int, int, float]]) -> np.ndarray:
    """Return a black crop with dots: (channel, column, row of the 8 x 8 cells, brightness 0..1)."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    for channel, column, row, brightness in dots:
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4, channel] = round(255 * brightness)
    return image


@pytest.fixture(scope="session")
def model() -> PoseModel:
    return PoseModel(
        network=ToyNetwork(),
        codec=GaussianCodec(GaussianOptions(decoder="argmax"), crop_size=(SIDE, SIDE), joint_count=2),
        skeleton=TOY_SKELETON,
        crop_size=(SIDE, SIDE),
        mean_rgb=(0.0, 0.0, 0.0),
        model_spec=ComponentSpec(name="toy"),
        codec_spec=ComponentSpec(name="gaussian"),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
    )


def crop_set(images: np.ndarray, joints: np.ndarray | None = None) -> CropSet:
    """Crops in two shards; all joints unlabelled unless given."""
    count, half = len(images), len(images) // 2
    known = joints is not None
    targets = PoseTargets(
        person_ids=np.arange(100, 100 + count),
        joints=joints.astype(np.float32) if known else np.full((count, 2, 2), np.nan, np.float32),
        visibility=np.full((count, 2), 2 if known else 0, np.uint8),
        joint_names=TOY_SKELETON.joints[: joints.shape[1]] if known else TOY_SKELETON.joints,
    )
    locations = np.array([(0, row) if row < half else (1, row - half) for row in range(count)], dtype=np.int64).reshape(count, 2)
    return CropSet(targets=targets, shards=[images[:half], images[half:]], locations=locations)


def study_persons(crops: CropSet, features: FeatureSet, **fields) -> StudyPersons:
    """Persons with unknown scores and attributes unless given, each in its own image."""
    count, ids = len(crops), crops.targets.person_ids
    shape = crops.targets.visibility.shape
    predictions = PosePredictions(ids, np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32))
    unknown = {"per_person_pck": np.full(count, np.nan), "per_person_oks": np.full(count, np.nan)}
    known = {"groups": np.arange(count), "attributes": pd.DataFrame(index=range(count)), "predictions": predictions}
    return StudyPersons(crops=crops, features=features, **{**known, **unknown, **fields})


def analysis_inputs(model: PoseModel, crops: CropSet, features: FeatureSet, **fields) -> AnalysisInputs:
    """Inputs with the components of the features. Fitted and judged persons are the same, but count as of other images."""
    general = {name: fields.pop(name) for name in ("seed", "batch_size") if name in fields}
    judged = study_persons(crops, features, **fields)
    fitted = replace(judged, groups=judged.groups + OTHER_IMAGES)
    return AnalysisInputs(model, principal_components(features), fitted, judged, **general)


@pytest.fixture
def inputs_of(model, tmp_path) -> Callable[..., AnalysisInputs]:
    """Analysis inputs of crops: features at the bottleneck, and their components."""

    def make(crops: CropSet, **changes) -> AnalysisInputs:
        features = extract_features(model, crops, None, FeatureStore(tmp_path / "features"), batch_size=16, dtype="float32")
        return analysis_inputs(model, crops, features, **{"batch_size": 16, **changes})

    return make


@pytest.fixture(scope="session")
def shifting_crops() -> CropSet:
    """The red dot shifts from cell (1, 1) to cell (6, 1), the blue one is fixed: one planted component."""
    amounts = np.linspace(0, 1, 41)
    return crop_set(np.stack([dots_image([(0, 1, 1, 1 - a), (0, 6, 1, a), (2, 2, 6, 1.0)]) for a in amounts]))


@pytest.fixture(scope="session")
def three_kinds() -> tuple[CropSet, np.ndarray]:
    """The red dot is in one of three quarters (18, 12 and 9 persons), with noise in green; and the quarter of each person."""
    rng = np.random.default_rng(0)
    kinds = rng.permutation(np.repeat([0, 1, 2], [18, 12, 9]))
    cells = [(1, 1), (6, 1), (1, 6)]
    images = [dots_image([(0, *cells[kind], 1.0), (1, 3, 3, 0.1 * rng.random()), (2, 2, 6, 1.0)]) for kind in kinds]
    return crop_set(np.stack(images)), kinds


@pytest.fixture(scope="session")
def noise_crops() -> CropSet:
    """80 crops of noise, without clusters."""
    return crop_set(np.random.default_rng(0).integers(0, 256, (80, SIDE, SIDE, 3)).astype(np.uint8))


@pytest.fixture(scope="session")
def scattered_crops() -> CropSet:
    """Red and blue dots in random cells, labelled at the centre of the cell, for which the network needs `fine`."""
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 8, (60, 2, 2))
    images = [dots_image([(0, *red, 1.0), (2, *blue, 1.0)]) for red, blue in cells]
    return crop_set(np.stack(images), joints=(cells + 0.5) * 4 - 0.5)


@pytest.fixture(scope="session")
def wandering_crops() -> tuple[CropSet, np.ndarray, np.ndarray]:
    """160 persons: the red dot shifts from left to right, the blue one changes its brightness; and both factors (0..1).

    In the bottleneck the shift is the first component, the brightness the second; a third has only rounding errors.
    """
    red, blue = np.random.default_rng(2).random((2, 160))
    images = [dots_image([(0, 1, 1, 1 - a), (0, 6, 1, a), (2, 2, 6, b / 2)]) for a, b in zip(red, blue, strict=True)]
    return crop_set(np.stack(images)), red, blue
