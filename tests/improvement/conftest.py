"""Fixtures of features with a known number of causes, and of a small network with two stacks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.features.feature_store import FeatureSet
from posescope.geometry.crop_recipe import CropRecipe
from posescope.improvement.autoencoder_insertion import InsertedAutoencoders, train_and_insert
from posescope.improvement.bottleneck_features import BottleneckFeatureStore, extract_bottleneck_features
from posescope.improvement.code_size import CodeSize
from posescope.improvement.options import AutoencoderTraining
from posescope.training.initialisation import build_untrained

PLANTED, CHANNELS, FEATURE_SIDE = 3, 8, 2
CPU, COUNT, SIDE = torch.device("cpu"), 24, 32
PERSONS = pd.DataFrame({"person_id": np.arange(COUNT), "source_split": "train2017", "image_id": np.arange(COUNT) // 2})
OPTIONS = AutoencoderTraining(channels=(6, 4), epochs=2, batch_size=8, validation_fraction=0.25, evaluation_fraction=0.17)


@pytest.fixture(scope="session")
def planted() -> FeatureSet:
    """300 persons with 8 x 2 x 2 features each, linear in three causes."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(300, PLANTED))
    mixing = rng.normal(size=(PLANTED, CHANNELS * FEATURE_SIDE**2))
    values = (causes @ mixing + rng.normal(size=CHANNELS * FEATURE_SIDE**2)).astype(np.float32)
    return FeatureSet(np.arange(300), values, "stack1.bottleneck", (CHANNELS, FEATURE_SIDE, FEATURE_SIDE))


@pytest.fixture(scope="session")
def groups() -> np.ndarray:
    """Three persons per image."""
    return np.repeat(np.arange(100), 3)


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    """Run tests and module fixtures on one thread, which is fastest for small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> PoseModel:
    options: dict[str, Any] = {"channels": 8, "depth": 1, "bottleneck_residuals": 1, "stacks": 2}
    return build_untrained(
        model_spec=ComponentSpec(name="hourglass", options=options),
        codec_spec=ComponentSpec(name="gaussian"),
        skeleton=Skeleton(joints=("nose", "hand"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1)),
        crop_size=(SIDE, SIDE),
        mean_rgb=(0.4, 0.4, 0.4),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
        seed=0,
    )


@pytest.fixture(scope="module")
def crops() -> CropSet:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)
    targets = PoseTargets(
        np.arange(COUNT), np.full((COUNT, 2, 2), np.nan, np.float32), np.zeros((COUNT, 2), np.uint8), joint_names=("nose", "hand")
    )
    return CropSet(targets, (images,), np.stack([np.zeros(COUNT, np.int64), np.arange(COUNT)], axis=1))


@pytest.fixture
def store(model: PoseModel, crops: CropSet, tmp_path: Path) -> BottleneckFeatureStore:
    return extract_bottleneck_features(model, crops, BottleneckFeatureStore(tmp_path / "improve"), "data", batch_size=10)


def insert(model: PoseModel, store: BottleneckFeatureStore, dimensions: int = 3) -> InsertedAutoencoders:
    return train_and_insert(model, store.open(), PERSONS, CodeSize(dimensions, "planted"), OPTIONS, CPU)


def scores(gain: float) -> pd.DataFrame:
    """200 persons in 100 images: continued 0.05 above the original, improved `gain` above that, the others below."""
    rng = np.random.default_rng(0)
    ids = np.arange(200)
    base, noise = rng.uniform(0.4, 0.6, 200), np.tile([0.02, -0.02, -0.02, 0.02], 50)
    shifts = {"original": 0.0, "mean_ablated": -0.4, "inserted": -0.3, "continued": 0.05, "improved": 0.05 + gain}
    tables = [
        pd.DataFrame(
            {
                "person_id": ids,
                "image_id": ids // 2,
                "found": True,
                "pck_thesis": base + shift + rng.permutation(noise),
                "variant": variant,
            }
        )
        for variant, shift in shifts.items()
    ]
    return pd.concat(tables, ignore_index=True)


def hits(better: str) -> pd.DataFrame:
    """100 persons with two joints; the improved network predicts one of them correctly, the others none."""
    tables = [
        pd.DataFrame(
            {
                "person_id": np.repeat(np.arange(100), 2),
                "image_id": np.repeat(np.arange(100), 2),
                "joint": ["nose", "knee"] * 100,
                "visibility": 2,
                "oks": 0.5,
                "pck_thesis": [float(variant == "improved" and joint == better) for joint in ("nose", "knee")] * 100,
                "variant": variant,
            }
        )
        for variant in ("original", "mean_ablated", "inserted", "continued", "improved")
    ]
    return pd.concat(tables, ignore_index=True)
