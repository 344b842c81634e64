"""Where the people of a split are: as the model says, or as another system's results have it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.files import read_json, sha256_of
from posescope.core.origin import Origin
from posescope.core.paths import expand_home
from posescope.core.skeleton import Skeleton
from posescope.core.tables import HeatmapErrors, empty_table
from posescope.data.coco.reader import load_annotation_file
from posescope.data.coco.record_validation import is_int64
from posescope.data.coco.results_writer import coco_results
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.protocols import match_results
from posescope.evaluation.result_validation import check_results
from posescope.prediction.crop_predictions import PredictionOptions, heatmap_errors, predict_crops, predictions_table

__all__ = ["SplitPredictions", "predict_split", "origin_of_predictions", "read_results"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SplitPredictions:
    """People found in images.

    Attributes:
        predictions: a `Predictions` table, image px: whose prediction it is, is known.
        results: COCO keypoint results: whose they are has to be found out by matching.
        heatmap_errors: a `HeatmapErrors` table; empty where no heatmaps were made.
    """

    predictions: pd.DataFrame
    results: Sequence[Mapping[str, Any]]
    heatmap_errors: pd.DataFrame


def predict_split(
    model: PoseModel | None,
    crops: CropSet,
    wanted: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    options: PredictionOptions,
    results: str | None = None,
    truth: Path | None = None,
) -> SplitPredictions:
    """Ask the model about each crop; or take the results of another system, and give each person the best of the same image.

    Args:
        model: not asked where there are results; none is needed then.
        crops: of everybody who has one.
        wanted: a `Persons` table that has everybody who has a crop.
        keypoints, crop_boxes: tables that have everybody who has a crop; the former all who are wanted, too.
        skeleton: of the data.
        options: how the model is run.
        results: path of a JSON file of COCO keypoint results; none: ask the model.
        truth: annotation file of the split: names and ids of all images that a result may be of. None: those of `wanted`.

    Raises:
        DataError: if the file of results is missing, or holds something else; if there is neither a file nor a model.
        MetricError: if one of its records is faulty, or none is of this category and of these images.
    """
    if results is not None:
        images = None if truth is None else [image for image in load_annotation_file(truth)["images"] if _has_id(image)]
        raw = read_results(Path(expand_home(results)))
        taken = raw if images is None else check_results(raw, len(skeleton), skeleton.category_id, images, source=results)
        return SplitPredictions(match_results(taken, wanted, keypoints, skeleton), taken, empty_table(HeatmapErrors))
    if model is None:
        raise DataError("There is neither a model nor a file of results to score. Run the pipeline modelling first.")
    found = predict_crops(model, crops, options)
    predictions = predictions_table(found.predictions, crop_boxes)
    return SplitPredictions(predictions, coco_results(predictions, wanted, skeleton.category_id), heatmap_errors(found, wanted))


def _has_id(image: Any) -> bool:
    return isinstance(image, dict) and is_int64(image.get("id"))


def origin_of_predictions(model: PoseModel | None, data_fingerprint: str, results: str | None = None) -> Origin:
    """Return which model, data and results the figures of `predict_split` are of.

    A model of other data is warned of: if the split was drawn anew, it may have learned from the persons that are scored.

    Args:
        model, results: as there.
        data_fingerprint: of the crops, joints and splits.

    Raises:
        DataError: if the file of results cannot be read; if there is neither a file nor a model.
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
        raise DataError("There is neither a model nor a file of results to score. Run the pipeline modelling first.")
    trained_on = model.provenance.get("data_fingerprint")
    if trained_on not in (None, data_fingerprint):
        _log.warning(
            "The model was trained on other data (%s) than the data at hand (%s). If they share images, it may have learned from "
            "the persons that are scored now, and the scores are too good.",
            trained_on,
            data_fingerprint,
        )
    return Origin(model=fingerprint_of_model(model), data=data_fingerprint, results="")


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read a JSON file of COCO results; the records are not checked yet (`check_results`).

    Raises:
        DataError: if the file is missing, not JSON, or not a list.
    """
    try:
        content = read_json(path, strict=False)
    except DataError as error:
        raise DataError(f"{error} Expected a JSON file of COCO keypoint results: see evaluation.results.") from error
    if not isinstance(content, list) or (content and not any(isinstance(record, dict) for record in content)):
        raise DataError(f"{path}: expected COCO keypoint results, a list of records, found {type(content).__name__}.")
    return content
