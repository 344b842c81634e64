"""Nodes of explainability: unpack, one call, return."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.crops.statistics import CropStatistics, check_current
from posescope.crops.store import CropStore
from posescope.explain.base import AnalysisResult
from posescope.explain.components import Components
from posescope.explain.feature_store import FeatureStore
from posescope.explain.features import extract_features
from posescope.explain.study import choose_persons, run_analysis
from posescope.inference.crop_predictions import PredictionOptions, predict_crops
from posescope.metrics.gather import score_crops
from posescope.pipelines.explainability.options import AnalysesOptions, PersonsOptions
from posescope.plugins import ComponentSpec, build
from posescope.records import PoseTargets

__all__: list[str] = []


def read_features(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    crop_statistics: CropStatistics,
    persons: pd.DataFrame,
    features_workspace: FeatureStore,
    options: PersonsOptions,
    prediction: PredictionOptions,
) -> FeatureStore:
    """Stream the chosen persons through the network and keep what stands at the tap."""
    check_current(crop_statistics, crops, persons, targets)
    chosen = choose_persons(persons, targets, options.split, options.max_persons, options.min_labelled_joints, options.seed)
    extract_features(
        model.to(resolve_device(prediction.device)),
        crops.select(targets, chosen),
        options.tap,
        features_workspace,
        data_fingerprint=crop_statistics.data_fingerprint,
        batch_size=prediction.batch_size,
        dtype=options.dtype,
    )
    return features_workspace


def score_explained(
    model: PoseModel, crops: CropStore, targets: PoseTargets, features: FeatureStore, prediction: PredictionOptions
) -> pd.DataFrame:
    """How well the network does on the persons who are studied."""
    chosen = crops.select(targets, features.open().person_ids)
    return score_crops(predict_crops(model, chosen, prediction).predictions, chosen.targets, chosen.crop_size)


def find_components(features: FeatureStore, reducer: ComponentSpec) -> Components:
    """Reduce the features to components."""
    return build("reducers", reducer)(features.open())  # type: ignore[no-any-return]


def make_analysis_node(name: str) -> Callable[..., AnalysisResult]:
    """The node of one installed analysis; it does nothing where the analysis is not selected."""

    def analyse(
        model: PoseModel,
        crops: CropStore,
        targets: PoseTargets,
        features: FeatureStore,
        components: Components,
        explained_scores: pd.DataFrame,
        options: AnalysesOptions,
        prediction: PredictionOptions,
    ) -> AnalysisResult:
        """Run one analysis."""
        return run_analysis(
            options.find(name),
            name=name,
            model=model.to(resolve_device(prediction.device)),
            crops=crops.select(targets, features.open().person_ids),
            features=features.open(),
            components=components,
            scores=explained_scores,
            seed=options.seed,
            batch_size=prediction.batch_size,
        )

    analyse.__name__ = f"analyse_{name}"
    return analyse


def list_findings(**results: AnalysisResult) -> dict[str, Any]:
    """What all analyses found, in one place."""
    return {name: {"note": result.note, "findings": dict(result.findings)} for name, result in sorted(results.items())}
