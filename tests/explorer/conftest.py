"""A data_dir with seven persons, whose predictions are 5 px from the labels, and the inputs of its explorer table."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posescope.artifacts.model_folder import fingerprint_of_model, save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import JointCalibration, Uncertainty, write_uncertainty
from posescope.core.files import write_json
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import join_joints
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_statistics import CropStatistics, measure_crops
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import principal_components
from posescope.explainability.explained_persons import choose_persons
from posescope.explainability.features.feature_store import FeatureStore
from posescope.explorer.person_table import ExplainedTables, ExplorerOptions
from posescope.explorer.table_export import export_persons
from posescope.explorer.table_file import ExplorerStore

JOINTS = ("right_hand", "nose", "left_hand")  # of the model; the data has nose, left_hand, right_hand
RADIUS = 2.0


@dataclass
class HandMadeRun:
    """Inputs of `export_persons`; tests may change them before `export`."""

    data_dir: Path
    model: PoseModel
    crops: CropStore
    targets: PoseTargets
    statistics: CropStatistics
    skeleton: Skeleton
    features: FeatureStore
    tables: ExplainedTables
    explainability: dict[str, Any]
    uncertainty: Uncertainty | None

    @property
    def store(self) -> ExplorerStore:
        return ExplorerStore(self.data_dir / "08_reporting" / "explorer")

    def export(self, photographs: Any = "full", flip_test: bool = False, category: str = "person", **options: Any) -> Path:
        """Write the table and return its path."""
        export_persons(
            self.store,
            self.model,
            self.crops,
            self.targets,
            self.statistics,
            self.skeleton,
            self.features.open(),
            self.tables,
            self.explainability,
            self.uncertainty,
            flip_test=flip_test,
            options=ExplorerOptions(**options),
            photographs=photographs,
            category=category,
        )
        return self.store.path


def calibrated(model: str) -> Uncertainty:
    """Return one radius for all joints but the first one, twice as large with flip test."""

    def entries(radius: float) -> tuple[JointCalibration, ...]:
        return tuple(
            JointCalibration(
                joint=name, labels=9, photographs=9, score_edges=(), radii=((radius if name != JOINTS[0] else None,),)
            )
            for name in JOINTS
        )  # fmt: skip

    return Uncertainty(
        model=model, data="d", persons=9, photographs=9, level=0.9, levels=(0.9,), max_radius_px=9, plain=entries(RADIUS),
        flip_test=entries(2 * RADIUS),
    )  # fmt: skip


@pytest.fixture
def run(tiny_coco: Any, untrained_model: PoseModel, tmp_path: Path) -> HandMadeRun:
    """Persons 0 to 6; the first four are fitted, the others are judged."""
    data_dir = tmp_path / "data"
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    options = CropOptions(rule="padded_square", size_px=32, workers=1)
    found = read_annotations(folder, source)
    boxed = box_persons(found.persons, found.keypoints, options)
    crops = CropStore(data_dir / "05_model_input" / "crops")
    write_crops(folder, source, boxed.persons, boxed.crop_boxes, crops, options)
    targets = targets_in_crops(boxed.crop_boxes, found.keypoints)
    statistics = measure_crops(crops, boxed.persons, targets, options)
    targets.save(data_dir / "05_model_input" / "targets.npz")
    write_json(data_dir / "05_model_input" / "crop_statistics.json", statistics.to_dict())
    model = replace(untrained_model, skeleton=Skeleton(JOINTS, ((1, 2), (1, 0)), (0.079, 0.026, 0.079), category_id=7))
    name = fingerprint_of_model(model)
    model_folder = data_dir / "06_models" / "model" / "2026-01-01T00.00.00.000Z" / "model"
    save_model(model_folder, model)
    write_uncertainty(model_folder, calibrated(name))
    explained = choose_persons(
        boxed.persons, targets, fit_split="train", judge_split="val", max_persons=100, min_labelled_joints=1, seed=0
    )  # fmt: skip
    ids = explained["person_id"].to_numpy()
    features = FeatureStore(data_dir / "07_model_output" / "features" / "bottleneck")
    values = np.random.default_rng(0).normal(size=(len(ids), 4)).astype(np.float32)
    features.write(
        ids, [values], layer="stack1.bottleneck", shape=(4, 1, 1), fingerprint="f" * 16, dtype="float32", model=name,
        data=statistics.data_fingerprint,
    )  # fmt: skip
    components = principal_components(features.open())
    components.save(data_dir / "07_model_output" / "features" / "components.npz")
    rows = np.searchsorted(targets.person_ids, ids)
    predicted = np.where(np.isnan(targets.joints[rows]), 10, targets.joints[rows] + (3, 4)).astype(np.float32)
    scores = np.tile(np.array([0.2, 0.4, 0.6], np.float32), (len(ids), 1))
    tables = ExplainedTables(
        persons=boxed.persons,
        explained=explained,
        predictions=join_joints(ids, predicted, scores, "score", crop_joints=predicted),
        scores=pd.DataFrame({"person_id": ids, "pck_thesis": 0.5, "oks": 0.25}),
        attributes=pd.DataFrame({"person_id": ids, "standing": np.where(ids == 1, np.nan, 1.5), "brightness": 0.5}),
    )
    members = pd.DataFrame({"person_id": ids[:2], "cluster": [1, 2]})
    groups = pd.DataFrame({"cluster": [1, 2], "description": ["standing", ""]})
    clusters = AnalysisResult(
        facts={}, tables={"cluster_members": members, "clusters": groups}, model=name, data=statistics.data_fingerprint
    )  # fmt: skip
    return HandMadeRun(
        data_dir, model, crops, targets, statistics, found.skeleton, features, tables,
        {"components": components, "findings": [], "analysis_clusters": clusters}, calibrated(name),
    )  # fmt: skip
