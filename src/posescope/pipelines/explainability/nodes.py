"""Nodes of explainability: unpack, one call, return."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.explainability.attributes.person_attributes import measure_attributes
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.features.feature_extraction import extract_features
from posescope.explainability.features.feature_store import FeatureStore
from posescope.explainability.study import choose_persons, run_analysis, score_persons
from posescope.explainability.study import list_findings as rank_claims
from posescope.pipelines.explainability.options import AnalysesOptions, PersonsOptions
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.options import PredictionOptions

__all__ = ["AnalysisNodes"]


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
        options.layer,
        features_workspace,
        data_fingerprint=crop_statistics.data_fingerprint,
        batch_size=prediction.batch_size,
        dtype=options.dtype,
        pooling=options.pooling,
    )
    return features_workspace


def score_explained(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    features: FeatureStore,
    prediction: PredictionOptions,
) -> pd.DataFrame:
    """How well the network does on the persons who are studied."""
    chosen = match_crops(model, crops.select(targets, features.open().person_ids)).crops
    predictions = predict_crops(model, chosen, prediction).predictions
    return score_persons(predictions, chosen.targets, persons, crop_boxes, model.skeleton.oks_sigmas, chosen.crop_size)


def describe_poses(persons: pd.DataFrame, keypoints: pd.DataFrame, skeleton: Skeleton, features: FeatureStore) -> pd.DataFrame:
    """What can be measured of their poses."""
    return measure_attributes(features.open().person_ids, persons, keypoints, skeleton)


def find_components(features: FeatureStore, reducer: ComponentSpec) -> Components:
    """Reduce the features to components."""
    return build("reducers", reducer)(features.open())  # type: ignore[no-any-return]


@dataclass(frozen=True)
class AnalysisNodes:
    """The node of one installed analysis; a method, since a runner with several processes pickles its nodes.

    Attributes:
        name: of the analysis.
    """

    name: str

    def analyse(
        self,
        model: PoseModel,
        crops: CropStore,
        targets: PoseTargets,
        features: FeatureStore,
        components: Components,
        explained_scores: pd.DataFrame,
        pose_attributes: pd.DataFrame,
        options: AnalysesOptions,
        persons: PersonsOptions,
        prediction: PredictionOptions,
    ) -> AnalysisResult:
        """Run the analysis; do nothing where it is not selected."""
        return run_analysis(
            options.find(self.name),
            name=self.name,
            model=model.to(resolve_device(prediction.device)),
            crops=crops.select(targets, features.open().person_ids),
            features=features.open(),
            components=components,
            scores=explained_scores,
            attributes=pose_attributes,
            seed=options.seed,
            batch_size=prediction.batch_size,
            population=persons.in_words(),
        )


def list_findings(**results: AnalysisResult) -> list[dict[str, Any]]:
    """What all analyses claim, in one place."""
    return rank_claims(results)
