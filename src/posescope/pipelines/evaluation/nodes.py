"""Nodes of evaluation: unpack, one call, return."""

from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.coco.writer import coco_results
from posescope.crops.store import CropStore
from posescope.inference.crop_predictions import PredictionOptions, predict_crops, predictions_in_images
from posescope.metrics.average_precision import evaluate_coco
from posescope.metrics.evaluation import Figures, evaluate_persons, metrics_content, precision_figures
from posescope.metrics.gather import gather_scored
from posescope.metrics.joint_hits import tabulate_joint_hits
from posescope.pipelines.scoring_options import ScoringOptions
from posescope.records import PoseTargets
from posescope.skeleton import Skeleton
from posescope.tables import ids_of

__all__: list[str] = []

SPLIT = "val"


def predict_validation(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    prediction: PredictionOptions,
) -> dict[str, Any]:
    """Run the model on the validation crops."""
    crops.check_boxes(crop_boxes)
    result = predict_crops(model, crops.select(targets, ids_of(persons, SPLIT)), prediction)
    return {"predictions": predictions_in_images(result.predictions, crop_boxes), "mse": result.mse}


def write_results(predictions: pd.DataFrame, persons: pd.DataFrame, skeleton: Skeleton) -> list[dict[str, Any]]:
    """The predictions as COCO results."""
    return coco_results(predictions, persons, skeleton.category_id)


def score_precision(raw_source: CocoFolder, results: list[dict[str, Any]], skeleton: Skeleton, source: SourceOptions) -> Figures:
    """OKS AP and AR in original images, against the untouched annotation file."""
    truth = raw_source.annotation_file(source, source.val_split)
    return precision_figures(evaluate_coco(truth, results, skeleton.oks_sigmas, category_id=skeleton.category_id))


def score_persons(
    model: PoseModel,
    predictions: pd.DataFrame,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    scoring: ScoringOptions,
) -> dict[str, Any]:
    """Every metric, person by person and joint by joint."""
    scored = gather_scored(predictions, persons, keypoints, crop_boxes, skeleton, model.crop_size)
    result = evaluate_persons(scored, scoring.metrics, skeleton, scoring.seed)
    return {"figures": result.figures, "person_scores": result.person_scores, "joint_scores": result.joint_scores}


def assemble_metrics(figures: Figures, precision: Figures, mse: float) -> dict[str, Any]:
    """The content of metrics.json."""
    return metrics_content(figures, precision, mse, SPLIT)


def score_joints(
    model: PoseModel,
    predictions: pd.DataFrame,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
) -> pd.DataFrame:
    """What each labelled joint of each person scored: what `posescope compare` needs of every run."""
    return tabulate_joint_hits(gather_scored(predictions, persons, keypoints, crop_boxes, skeleton, model.crop_size), skeleton)
