"""Small opened runs of real networks with random weights, without files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tests.explorer.hand_made_table import about_of, table_of

from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_extraction import FeatureStore, extract_features
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.run_places import RunPlaces
from posescope.explorer.table_metadata import ComponentAbout
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.plain_modules import build_network

SIDE, PERSONS, FIRST_ID = 32, 24, 10
SKELETON = Skeleton(joints=("left_dot", "right_dot"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1))
HOURGLASS = ComponentSpec(name="hourglass", options={"stacks": 2, "channels": 8, "depth": 2, "stem_channels": 8})


def model_of(spec: ComponentSpec, make: Callable[..., torch.nn.Module] | None = None) -> PoseModel:
    """Return a model with random weights; heads with weights that give clear peaks."""
    torch.manual_seed(0)
    size = (SIDE, SIDE)
    network = build_network(spec, size, len(SKELETON)) if make is None else make(size, len(SKELETON))
    return PoseModel(
        network=network.eval(),
        codec=GaussianCodec(GaussianOptions(), crop_size=size, joint_count=len(SKELETON)),
        skeleton=SKELETON,
        crop_size=size,
        mean_rgb=(0.5, 0.5, 0.5),
        model_spec=spec,
        codec_spec=ComponentSpec(name="gaussian"),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
    )


def crops_of(count: int = PERSONS) -> CropSet:
    """Return noise; persons 10, 11, ..., two to a photograph."""
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)
    targets = PoseTargets(
        person_ids=np.arange(FIRST_ID, FIRST_ID + count),
        joints=np.full((count, 2, 2), np.nan, np.float32),
        visibility=np.zeros((count, 2), np.uint8),
        joint_names=SKELETON.joints,
    )
    return CropSet(targets, [images], np.stack([np.zeros(count, np.int64), np.arange(count)], axis=1))


def latent_run(folder: Path, model: PoseModel, layer: str | None = None, pooling: str = "none") -> OpenedRun:
    """Return an opened run of the model, with the features of one layer."""
    crops = crops_of()
    store = FeatureStore(folder / "features")
    features = extract_features(model, crops, layer, store, batch_size=8, dtype="float32", pooling=pooling)
    components = principal_components(features)
    ratios = components.explained_variance_ratio[:10]
    named = tuple(
        ComponentAbout(number=number, title=f"component {number}: low ↔ high", low="low", high="high", explained=float(share))
        for number, share in enumerate(ratios, start=1)
    )
    table = table_of(len(crops), components=named, crop_size=(SIDE, SIDE), layer=features.layer)
    opened = OpenedRun(folder, table.columns, table.about, RunPlaces.of_data_dir(folder))
    scores = components.project(features.values, len(named)).astype(np.float32)
    vars(opened).update(_model=model, _crops=crops, _features=features, _components=components, component_scores=scores)
    return opened


__all__ = ["FIRST_ID", "HOURGLASS", "PERSONS", "SIDE", "SKELETON", "about_of", "crops_of", "latent_run", "model_of"]
