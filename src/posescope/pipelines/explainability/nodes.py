"""Nodes of the pipeline `explainability`."""

from dataclasses import dataclass

import pandas as pd

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.photographs import PhotographMode
from posescope.evaluation.error_analysis.error_types import joint_error_types
from posescope.evaluation.scored_persons import gather_cases
from posescope.evaluation.table_schemas import join_error_types
from posescope.explainability import explained_persons, study
from posescope.explainability.attributes import person_attributes
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.features import feature_extraction
from posescope.explainability.features.feature_store import FeatureStore
from posescope.pipelines.explainability.options import AnalysesOptions, PersonsOptions
from posescope.prediction.crop_predictions import predict_crops, predictions_table
from posescope.prediction.options import PredictionOptions

__all__ = ["AnalysisNodes"]


def choose_persons(persons: pd.DataFrame, targets: PoseTargets, options: PersonsOptions) -> pd.DataFrame:
    """Select the fitted and the judged persons.

    Args:
        persons: `Persons` with splits.
        targets: joints of all persons.
        options: splits and number of the persons.
    """
    return explained_persons.choose_persons(
        persons,
        targets,
        fit_split=options.fit_split,
        judge_split=options.judge_split,
        max_persons=options.max_persons,
        min_labelled_joints=options.min_labelled_joints,
        seed=options.seed,
    )


def extract_features(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    crop_statistics: CropStatistics,
    persons: pd.DataFrame,
    chosen: pd.DataFrame,
    features_workspace: FeatureStore,
    options: PersonsOptions,
    prediction: PredictionOptions,
) -> FeatureStore:
    """Run the network on the explained persons and store the activations of a layer.

    Args:
        model: the trained model.
        crops, targets, crop_statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        chosen: the explained persons.
        features_workspace: store that is filled.
        options: layer and storage.
        prediction: batch size and device.

    Returns:
        The finished store.
    """
    check_current(crop_statistics, crops, persons, targets)
    feature_extraction.extract_features(
        model.to(resolve_device(prediction.device)),
        crops.select(targets, chosen["person_id"].to_numpy()),
        options.layer,
        features_workspace,
        data_fingerprint=crop_statistics.data_fingerprint,
        batch_size=prediction.batch_size,
        dtype=options.dtype,
        pooling=options.pooling,
    )
    return features_workspace


def predict_explained_persons(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    crop_boxes: pd.DataFrame,
    features: FeatureStore,
    prediction: PredictionOptions,
) -> pd.DataFrame:
    """Predict the joints of the explained persons.

    Args:
        model: the trained model.
        crops, targets, crop_boxes: crops of the data set, their joints and boxes.
        features: features of the explained persons.
        prediction: batch size, device and flip test.
    """
    chosen = crops.select(targets, features.open().person_ids)
    return predictions_table(predict_crops(model, chosen, prediction).predictions, crop_boxes)


def score_explained_persons(
    predictions: pd.DataFrame,
    crops: CropStore,
    targets: PoseTargets,
    persons_read: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    features: FeatureStore,
) -> dict[str, pd.DataFrame]:
    """Score the predictions of the explained persons, and classify their errors.

    Args:
        predictions: `Predictions` of the explained persons.
        crops, targets, crop_boxes: crops of the data set, their joints and boxes.
        persons_read, keypoints: `Persons` and `Keypoints` of all well-formed persons, since others may be near.
        skeleton: skeleton of the data set.
        features: features of the explained persons.

    Returns:
        `scores`, a row per person, and `error_types`, a `JointErrors` table.
    """
    chosen = crops.select(targets, features.open().person_ids)
    found = explained_persons.read_predictions(predictions, chosen.targets.person_ids, skeleton, skeleton.joints)
    cases = gather_cases(predictions, persons_read, keypoints, crop_boxes, skeleton, crops.crop_size)
    scores = explained_persons.score_persons(
        found, chosen.targets, persons_read, crop_boxes, skeleton.oks_sigmas, chosen.crop_size
    )  # fmt: skip
    return {"scores": scores, "error_types": join_error_types(cases.scored.person_ids, joint_error_types(cases))}


def measure_attributes(
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    skeleton: Skeleton,
    crops: CropStore,
    targets: PoseTargets,
    features: FeatureStore,
    prediction: PredictionOptions,
) -> pd.DataFrame:
    """Measure the attributes of pose and image of the explained persons.

    Args:
        persons, keypoints: `Persons` and `Keypoints`.
        skeleton: names of the joints.
        crops, targets: crops of the data set and their joints.
        features: features of the explained persons.
        prediction: batch size.
    """
    ids = features.open().person_ids
    poses = person_attributes.measure_attributes(ids, persons, keypoints, skeleton)
    images = person_attributes.measure_image_attributes(crops.select(targets, ids), prediction.batch_size)
    return pd.concat([poses, images], axis=1)


def fit_components(features: FeatureStore, chosen: pd.DataFrame, reducer: ComponentSpec) -> Components:
    """Fit the reducer to the features of the fitted persons.

    Args:
        features: features of the explained persons.
        chosen: the explained persons.
        reducer: component of posescope.reducers.
    """
    fitted = study.select_features(features.open(), chosen, explained_persons.FITTED)
    return build("reducers", reducer)(fitted)  # type: ignore[no-any-return]


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
        skeleton: Skeleton,
        features: FeatureStore,
        components: Components,
        chosen: pd.DataFrame,
        predictions: pd.DataFrame,
        scores: pd.DataFrame,
        error_types: pd.DataFrame,
        attributes: pd.DataFrame,
        options: AnalysesOptions,
        persons: PersonsOptions,
        prediction: PredictionOptions,
        photographs: PhotographMode = "full",
    ) -> AnalysisResult:
        """Run the analysis if it is selected; otherwise return an empty result.

        Args:
            model: the trained model.
            crops, targets, skeleton: crops of the data set, their joints and the skeleton.
            features, components: features of the explained persons and the components of the fitted ones.
            chosen, predictions, scores, error_types, attributes: tables of the explained persons.
            options: the selected analyses.
            persons: selection of the persons.
            prediction: batch size and device.
            photographs: how images show photographs.
        """
        return study.run_analysis(
            options.find(self.name),
            name=self.name,
            model=model.to(resolve_device(prediction.device)),
            crops=crops,
            targets=targets,
            skeleton=skeleton,
            features=features.open(),
            components=components,
            tables=study.StudyTables(chosen, predictions, scores, error_types, attributes),
            seed=options.seed,
            batch_size=prediction.batch_size,
            population=persons.in_words(),
            photographs=photographs,
        )
