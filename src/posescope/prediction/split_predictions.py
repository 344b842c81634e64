"""Predictions for the persons of a split: made by a model, or read from another system's results."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.files import sha256_of
from posescope.core.origin import Origin
from posescope.core.paths import expand_home
from posescope.core.skeleton import Skeleton
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.results_writer import coco_results
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.external_results import match_results, read_results
from posescope.evaluation.metrics.average_precision import records_with_ids
from posescope.evaluation.result_validation import check_results
from posescope.evaluation.table_schemas import HeatmapErrors
from posescope.prediction.crop_predictions import heatmap_errors, predict_crops, predictions_table
from posescope.prediction.options import PredictionOptions

__all__ = ["SplitPredictions", "origin_of_predictions", "predict_split", "read_split_results"]

_log = logging.getLogger(__name__)
_NOTHING_TO_SCORE = "Expected a model or a file of results to score, found neither. Run the pipeline modelling first."


@dataclass(frozen=True, eq=False)
class SplitPredictions:
    """Predictions for the persons of a split.

    Attributes:
        predictions: a `Predictions` table.
        results: the same persons, or another system's results, as COCO keypoint results in image px.
        heatmap_errors: a `HeatmapErrors` table; empty for another system's results.
    """

    predictions: pd.DataFrame
    results: Sequence[Mapping[str, Any]]
    heatmap_errors: pd.DataFrame


def predict_split(
    model: PoseModel | None,
    crops: CropSet,
    evaluated_persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    options: PredictionOptions,
) -> SplitPredictions:
    """Run the model on the crops of a split.

    Args:
        model: the model to score.
        crops: crops of the evaluated persons that have one.
        evaluated_persons: a `Persons` table.
        crop_boxes: table that holds all persons with a crop.
        skeleton: skeleton of the data set.
        options: how the model is run.

    Raises:
        DataError: if there is no model.
    """
    if model is None:
        raise DataError(_NOTHING_TO_SCORE)
    found = predict_crops(model, crops, options)
    predictions = predictions_table(found.predictions, crop_boxes)
    results = coco_results(predictions, evaluated_persons, skeleton.category_id)
    return SplitPredictions(predictions, results, heatmap_errors(found, evaluated_persons))


def read_split_results(
    path: str, annotation_file: Path, evaluated_persons: pd.DataFrame, keypoints: pd.DataFrame, skeleton: Skeleton
) -> SplitPredictions:
    """Read another system's results and match them to the persons of a split.

    Args:
        path: path of a JSON file of COCO keypoint results.
        annotation_file: annotation file of the split; it names the images of the results.
        evaluated_persons: a `Persons` table.
        keypoints: table that holds these persons.
        skeleton: skeleton of the data set.

    Raises:
        DataError: if the file of results is missing or is no list of records.
        MetricError: if a result is malformed, or none is of this category and of these images.
    """
    images = records_with_ids(load_annotation_file(annotation_file)["images"])
    records = check_results(read_results(Path(expand_home(path))), len(skeleton), skeleton.category_id, images, source=path)
    return SplitPredictions(match_results(records, evaluated_persons, keypoints, skeleton), records, HeatmapErrors.empty())


def origin_of_predictions(model: PoseModel | None, data_fingerprint: str, results: str | None = None) -> Origin:
    """Return the model, data and results of the predictions of a split. Log a warning if the model was trained on other data.

    Args:
        model: the model to score; ignored if there are results.
        data_fingerprint: fingerprint of the crops, joints and splits.
        results: path of another system's results. None: the model is scored.

    Raises:
        DataError: if the file of results cannot be read; if there is neither a model nor a file.
    """
    if results is not None:
        try:
            return Origin(model="", data=data_fingerprint, results=sha256_of(Path(expand_home(results)))[:16])
        except OSError as error:
            raise DataError(
                f"{results}: cannot be read ({error.strerror}). Expected a JSON file of COCO keypoint results: see "
                "evaluation.results."
            ) from error
    if model is None:
        raise DataError(_NOTHING_TO_SCORE)
    trained_on = model.provenance.get("data_fingerprint")
    if trained_on not in (None, data_fingerprint):
        _log.warning(
            "The model was trained on other data (%s) than the current data (%s). If they share images, the model may have been "
            "trained on persons that are scored now, and the scores are too high.",
            trained_on, data_fingerprint,
        )  # fmt: skip
    return Origin(model=fingerprint_of_model(model), data=data_fingerprint, results="")
