"""Node functions that score one split, shared by the pipelines `evaluation` and `final_test`."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.origin import Origin, add_origin, check_origins, origin_of_table
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.joined_annotations import load_source_truths, load_truth
from posescope.data.coco.sources import SourceList, combine_folders
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.data.dataset_summary import persons_with_crops
from posescope.evaluation.metric_evaluation import evaluate_heatmaps, evaluate_persons, evaluate_precision
from posescope.evaluation.metric_values import (
    EvaluationSetting,
    MetricValues,
    add_setting,
    pipeline_of_split,
)
from posescope.evaluation.precision_by_source import evaluate_sources
from posescope.evaluation.protocols import images_to_evaluate, select_evaluated_persons
from posescope.evaluation.scored_persons import gather_scored
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.prediction.options import PredictionOptions
from posescope.prediction.split_predictions import origin_of_predictions, predict_split, read_split_results

__all__ = ["SplitNodes"]


@dataclass(frozen=True)
class SplitNodes:
    """Node functions for the persons of one split; methods, because runners with several processes pickle them."""

    split: Literal["val", "test"]

    def select_evaluated_persons(
        self,
        persons_read: pd.DataFrame,
        keypoints: pd.DataFrame,
        persons: pd.DataFrame,
        crops: CropStore,
        scoring: ScoringOptions,
    ) -> pd.DataFrame:
        """Select the persons that count in the metrics per person.

        Args:
            persons_read, persons: `Persons`, all well-formed ones and those with splits.
            keypoints: `Keypoints`.
            crops: crops of the data set.
            scoring: the protocol.

        Returns:
            `Persons` of the split.
        """
        cropped = persons_with_crops(persons, crops)
        return select_evaluated_persons(scoring.person_protocol, self.split, persons_read, keypoints, persons, cropped)

    def describe_setting(
        self,
        model: PoseModel | None,
        crops: CropStore,
        targets: PoseTargets,
        persons: pd.DataFrame,
        statistics: CropStatistics,
        prediction: PredictionOptions,
        scoring: ScoringOptions,
        results: str | None = None,
    ) -> EvaluationSetting:
        """Return the protocol, split, boxes, flip test and origin that all metric values of the run share.

        Args:
            model: the model. None: another system's results are scored.
            crops, targets, statistics: crops of the data set, their joints and statistics.
            persons: `Persons` with splits.
            prediction, scoring: flip test and protocol.
            results: file of another system's results. None: the model is scored.
        """
        check_current(statistics, crops, persons, targets)
        origin = origin_of_predictions(model, statistics.data_fingerprint, results)
        if results is not None:
            return EvaluationSetting(scoring.person_protocol, self.split, "results", None, origin)
        return EvaluationSetting(scoring.person_protocol, self.split, "ground_truth", prediction.flip_test, origin)

    def predict_persons(
        self,
        model: PoseModel | None,
        crops: CropStore,
        targets: PoseTargets,
        evaluated: pd.DataFrame,
        keypoints: pd.DataFrame,
        crop_boxes: pd.DataFrame,
        skeleton: Skeleton,
        setting: EvaluationSetting,
        prediction: PredictionOptions,
        results: str | None = None,
        raw_source: CocoFolder | None = None,
        source: SourceOptions | None = None,
        sources: SourceList | None = None,
    ) -> dict[str, Any]:
        """Run the model on the crops, or read the results of another system.

        Args:
            model: the model. None: another system's results are scored.
            crops, targets: crops of the data set and their joints.
            evaluated: `Persons` that count.
            keypoints, crop_boxes: `Keypoints` and `CropBoxes`.
            skeleton: joints and OKS sigmas.
            setting: evaluation setting of the run.
            prediction: batch size, device and flip test.
            results: file of another system's results. None: the model is scored.
            raw_source, source: the data set, to which the results belong.
            sources: several data sets, for which results of another system cannot be scored.

        Returns:
            `predictions` (`Predictions`), `results` (COCO results) and `heatmap_errors` (`HeatmapErrors`).
        """
        crops.check_boxes(crop_boxes)
        if results is not None and sources:
            raise DataError(
                "evaluation.results: expected a single data set, found several in data_engineering.sources, whose image ids the "
                "file of results cannot tell apart. Score it in a run with data_engineering.source alone."
            )
        if results is not None and raw_source is not None and source is not None:
            truth = raw_source.annotation_file(source, source.source_split_of(self.split))
            found = read_split_results(results, truth, evaluated, keypoints, skeleton)
        else:
            chosen = crops.select(targets, ids_of(evaluated, self.split))
            found = predict_split(model, chosen, evaluated, crop_boxes, skeleton, prediction)
        origin = setting.origin or Origin()
        return {
            "predictions": add_origin(found.predictions, origin),
            "results": found.results,
            "heatmap_errors": add_origin(found.heatmap_errors, origin),
        }

    def score_average_precision(
        self,
        raw_source: CocoFolder,
        results: list[dict[str, Any]],
        predictions: pd.DataFrame,
        persons: pd.DataFrame,
        evaluated: pd.DataFrame,
        skeleton: Skeleton,
        setting: EvaluationSetting,
        source: SourceOptions,
        sources: SourceList,
        scoring: ScoringOptions,
    ) -> dict[str, Any]:
        """Compute OKS AP and AR in image px, against the annotations of the split; with several data sets also of each of them.

        COCO results have no field for their origin; the predictions, written by the same node, have one.

        Args:
            raw_source, source, sources: the data set and the names of its files and folders, or several data sets.
            results, predictions: COCO results, and the same as a `Predictions` table.
            persons, evaluated: `Persons`, with splits and those that count.
            skeleton: joints and OKS sigmas.
            setting: evaluation setting of the run.
            scoring: protocol, seed and resamples.

        Returns:
            `metric_values`, and `image_ids`: the images that are evaluated.
        """
        self._check_tables(setting, predictions=predictions)
        folder = combine_folders(raw_source, sources)
        truths = load_source_truths(folder, self.split, skeleton.category_id)
        if truths:
            values, image_ids = evaluate_sources(truths, results, predictions, persons, evaluated, skeleton, self.split, scoring)
        else:
            truth = load_truth(folder, source, self.split, skeleton)
            images = images_to_evaluate(self.split, persons, evaluated, folder.has_validation_file(source))
            protocol = scoring.precision_protocol
            values, image_ids = evaluate_precision(
                truth, results, skeleton, scoring.seed, scoring.resamples, protocol, evaluated, images
            )
        return {"metric_values": values.of(setting.origin), "image_ids": image_ids}

    def score_persons(
        self,
        crops: CropStore,
        predictions: pd.DataFrame,
        evaluated: pd.DataFrame,
        keypoints: pd.DataFrame,
        crop_boxes: pd.DataFrame,
        image_ids: list[int],
        skeleton: Skeleton,
        setting: EvaluationSetting,
        scoring: ScoringOptions,
    ) -> dict[str, Any]:
        """Compute all metrics, per person and per joint.

        Args:
            crops: crops of the data set.
            predictions, evaluated: `Predictions` and `Persons` that count.
            keypoints, crop_boxes: `Keypoints` and `CropBoxes`.
            image_ids: images that are evaluated.
            skeleton: joints and OKS sigmas.
            setting: evaluation setting of the run.
            scoring: metrics, seed and resamples.

        Returns:
            `metric_values`, `person_scores` (`PersonScores`) and `joint_scores` (`JointScores`).
        """
        self._check_tables(setting, predictions=predictions)
        ids, size = ids_of(evaluated, self.split), crops.crop_size
        scored = gather_scored(predictions, evaluated, keypoints, crop_boxes, skeleton, size, ids)
        result = evaluate_persons(scored, scoring.metrics, scoring.seed, image_ids, scoring.resamples, setting.protocol)
        joint_scores = add_setting(result.joint_scores, setting)
        person_scores = add_origin(result.person_scores, setting.origin or Origin())
        return {
            "metric_values": result.metric_values.of(setting.origin),
            "person_scores": person_scores,
            "joint_scores": joint_scores,
        }

    def score_heatmaps(
        self, heatmap_errors: pd.DataFrame, image_ids: list[int], setting: EvaluationSetting, scoring: ScoringOptions
    ) -> MetricValues:
        """Compute the mean squared error of the heatmaps.

        Args:
            heatmap_errors: `HeatmapErrors` of the persons.
            image_ids: images that are evaluated.
            setting: evaluation setting of the run.
            scoring: seed and resamples.
        """
        self._check_tables(setting, heatmap_errors=heatmap_errors)
        return evaluate_heatmaps(heatmap_errors, image_ids, scoring.seed, scoring.resamples).of(setting.origin)

    def _check_tables(self, setting: EvaluationSetting, **tables: pd.DataFrame) -> None:
        """Check the origin of all tables that have rows."""
        found = {name: origin_of_table(table) for name, table in tables.items() if len(table)}
        check_origins(setting.origin, found, pipeline_of_split(self.split))
