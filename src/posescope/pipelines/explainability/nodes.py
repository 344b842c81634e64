"""Nodes of the pipeline `explainability`."""

from dataclasses import dataclass

import pandas as pd

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.explainability import study
from posescope.explainability.attributes.person_attributes import measure_attributes
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.features import feature_extraction
from posescope.explainability.features.feature_store import FeatureStore
from posescope.pipelines.explainability.options import AnalysesOptions, PersonsOptions
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.options import PredictionOptions

__all__ = ["AnalysisNodes"]


def extract_features(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    crop_statistics: CropStatistics,
    persons: pd.DataFrame,
    features_workspace: FeatureStore,
    options: PersonsOptions,
    prediction: PredictionOptions,
) -> FeatureStore:
    """Run the network on the selected persons and store the activations of a layer.

    Args:
        model: the trained model.
        crops, targets, crop_statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        features_workspace: store that is filled.
        options: selection of the persons, layer and storage.
        prediction: batch size and device.

    Returns:
        The finished store.
    """
    check_current(crop_statistics, crops, persons, targets)
    chosen = study.choose_persons(persons, targets, options.split, options.max_persons, options.min_labelled_joints, options.seed)
    feature_extraction.extract_features(
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


def score_explained_persons(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    features: FeatureStore,
    prediction: PredictionOptions,
) -> pd.DataFrame:
    """Score the network on the persons that are explained.

    Args:
        model: the trained model.
        crops, targets: crops of the data set and their joints.
        persons, crop_boxes: `Persons` and `CropBoxes`.
        features: features of the explained persons.
        prediction: batch size, device and flip test.
    """
    chosen = match_crops(model, crops.select(targets, features.open().person_ids))
    predictions = predict_crops(model, chosen, prediction).predictions
    return study.score_persons(predictions, chosen.targets, persons, crop_boxes, model.skeleton.oks_sigmas, chosen.crop_size)


def measure_pose_attributes(
    persons: pd.DataFrame, keypoints: pd.DataFrame, skeleton: Skeleton, features: FeatureStore
) -> pd.DataFrame:
    """Measure the pose attributes of these persons.

    Args:
        persons, keypoints: `Persons` and `Keypoints`.
        skeleton: names of the joints.
        features: features of the explained persons.
    """
    return measure_attributes(features.open().person_ids, persons, keypoints, skeleton)


def fit_components(features: FeatureStore, reducer: ComponentSpec) -> Components:
    """Fit the reducer to the features.

    Args:
        features: features of the explained persons.
        reducer: component of posescope.reducers.
    """
    return build("reducers", reducer)(features.open())  # type: ignore[no-any-return]


@dataclass(frozen=True)
class AnalysisNodes:
    """Node of an installed analysis; a method, because runners with several processes pickle it.

    Attributes:
        name: name of the analysis.
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
        """Run the analysis if it is selected; otherwise return an empty result.

        Args:
            model: the trained model.
            crops, targets: crops of the data set and their joints.
            features, components: features of the explained persons and their components.
            explained_scores, pose_attributes: tables of these persons.
            options: the selected analyses.
            persons: selection of the persons.
            prediction: batch size and device.
        """
        return study.run_analysis(
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
