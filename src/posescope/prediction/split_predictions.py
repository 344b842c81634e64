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
from posescope.core.tables import empty_table
from posescope.data.coco.reader import load_annotation_file
from posescope.data.coco.record_validation import is_int64
from posescope.data.coco.results_writer import coco_results
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.external_results import match_results, read_results
from posescope.evaluation.result_validation import check_results
from posescope.evaluation.table_schemas import HeatmapErrors
from posescope.prediction.crop_predictions import heatmap_errors, predict_crops, predictions_table
from posescope.prediction.options import PredictionOptions

__all__ = ["SplitPredictions", "origin_of_predictions", "predict_split"]

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
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    options: PredictionOptions,
    results: str | None = None,
    annotation_file: Path | None = None,
) -> SplitPredictions:
    """Run the model on the crops, or match another system's results to the persons.

    Args:
        model: the model to score; may be None, and is ignored, if there are results.
        crops: of the evaluated persons that have one.
        evaluated_persons: a `Persons` table.
        keypoints, crop_boxes: tables that hold all persons with a crop; `keypoints` holds all evaluated persons, too.
        skeleton: of the data.
        options: how the model is run.
        results: path of a JSON file of COCO keypoint results. None: the model is run.
        annotation_file: of the split, to resolve the images of the results. None: results are matched by the images of the
            evaluated persons.

    Raises:
        DataError: if the file of results is missing or is no list of records; if there is neither a model nor a file.
        MetricError: if a result is malformed, or none is of this category and of these images.
    """
    if results is not None:
        records = read_results(Path(expand_home(results)))
        if annotation_file is not None:
            images = [image for image in load_annotation_file(annotation_file)["images"] if _has_id(image)]
            records = check_results(records, len(skeleton), skeleton.category_id, images, source=results)
        matched = match_results(records, evaluated_persons, keypoints, skeleton)
        return SplitPredictions(matched, records, empty_table(HeatmapErrors))
    if model is None:
        raise DataError(_NOTHING_TO_SCORE)
    found = predict_crops(model, crops, options)
    predictions = predictions_table(found.predictions, crop_boxes)
    results_of_model = coco_results(predictions, evaluated_persons, skeleton.category_id)
    return SplitPredictions(predictions, results_of_model, heatmap_errors(found, evaluated_persons))


def origin_of_predictions(model: PoseModel | None, data_fingerprint: str, results: str | None = None) -> Origin:
    """Return the model, data and results that `predict_split` uses. Log a warning if the model was trained on other data.

    Args:
        model, results: as for `predict_split`.
        data_fingerprint: of the crops, joints and splits.

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
            "trained on "
            "persons that are scored now, and the scores are too high.",
            trained_on,
            data_fingerprint,
        )
    return Origin(model=fingerprint_of_model(model), data=data_fingerprint, results="")


def _has_id(image: Any) -> bool:
    return isinstance(image, dict) and is_int64(image.get("id"))
