"""The tiny data set, cut into crops, and a small untrained model of its three joints."""

from dataclasses import dataclass

import pandas as pd
import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.coco.reader import read_annotations
from posescope.crops.boxing import box_persons, place_targets
from posescope.crops.engine import cut_all
from posescope.crops.options import CropOptions
from posescope.crops.store import CropStore
from posescope.geometry.recipe import CropRecipe
from posescope.plugins import ComponentSpec, build
from posescope.records import PoseTargets
from posescope.skeleton import Skeleton


@dataclass(frozen=True)
class TinyRun:
    """What a run of data engineering leaves behind: training persons 0..3, validation persons 4..6."""

    folder: CocoFolder
    source: SourceOptions
    persons: pd.DataFrame
    keypoints: pd.DataFrame
    crop_boxes: pd.DataFrame
    targets: PoseTargets
    store: CropStore
    skeleton: Skeleton


@pytest.fixture
def tiny_run(tiny_coco, tmp_path) -> TinyRun:
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    options = CropOptions(rule="padded_square", size_px=32, workers=1)
    found = read_annotations(folder, source)
    boxed = box_persons(found.persons, found.keypoints, options)
    store = CropStore(tmp_path / "crops")
    cut_all(folder, source, boxed.persons, boxed.crop_boxes, store, options)
    targets = place_targets(boxed.crop_boxes, found.keypoints)
    return TinyRun(folder, source, boxed.persons, found.keypoints, boxed.crop_boxes, targets, store, found.skeleton)


@pytest.fixture
def tiny_model(tiny_run) -> PoseModel:
    model_spec = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 1, "bottleneck_residuals": 1})
    codec_spec = ComponentSpec(name="gaussian")
    context = {"crop_size": (32, 32), "joint_count": 3}
    torch.manual_seed(0)
    return PoseModel(
        network=build("models", model_spec, **context),
        codec=build("codecs", codec_spec, **context),
        skeleton=tiny_run.skeleton,
        crop_size=(32, 32),
        mean_rgb=(0.5, 0.5, 0.5),
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
        provenance={"best_epoch": 3, "seed": 11, "history": [1, 2]},
    )
