"""Nodes of evaluation: unpack, one call, return."""

from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.crops.store import CropStore
from posescope.inference.crop_predictions import PredictionOptions
from posescope.inference.people import locate_people
from posescope.metrics.evaluation import evaluate_heatmaps, evaluate_persons, evaluate_precision
from posescope.metrics.figures import Figures, figures_table, metrics_content
from posescope.metrics.gather import gather_scored
from posescope.metrics.joint_hits import tabulate_joint_hits
from posescope.metrics.protocols import wanted_persons
from posescope.pipelines.scoring_options import ScoringOptions
from posescope.records import PoseTargets
from posescope.report.data_tables import persons_with_crops
from posescope.skeleton import Skeleton
from posescope.tables import ids_of

__all__: list[str] = []

SPLIT = "val"


def choose_people(
    persons_read: pd.DataFrame, keypoints: pd.DataFrame, persons: pd.DataFrame, crops: CropStore, scoring: ScoringOptions
) -> pd.DataFrame:
    """Who counts in the figures a person."""
    return wanted_persons(scoring.person_protocol, SPLIT, persons_read, keypoints, persons_with_crops(persons, crops))


def predict_validation(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    wanted: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    prediction: PredictionOptions,
    results: str | None,
) -> dict[str, Any]:
    """Run the model on the validation crops, or take another system's results in its place."""
    crops.check_boxes(crop_boxes)
    chosen = crops.select(targets, ids_of(wanted, SPLIT))
    found = locate_people(model, chosen, wanted, keypoints, crop_boxes, skeleton, prediction, results)
    return {"predictions": found.predictions, "results": found.results, "heatmap_errors": found.heatmap_errors}


def score_precision(
    raw_source: CocoFolder,
    results: list[dict[str, Any]],
    wanted: pd.DataFrame,
    skeleton: Skeleton,
    source: SourceOptions,
    scoring: ScoringOptions,
) -> dict[str, Any]:
    """OKS AP and AR in original images, against the untouched annotation file."""
    truth = raw_source.annotation_file(source, source.val_split)
    found = evaluate_precision(truth, results, skeleton, scoring.seed, scoring.resamples, scoring.precision_protocol, wanted)
    return {"figures": found.figures, "image_ids": list(found.image_ids)}


def score_persons(
    model: PoseModel,
    predictions: pd.DataFrame,
    wanted: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    image_ids: list[int],
    skeleton: Skeleton,
    scoring: ScoringOptions,
) -> dict[str, Any]:
    """Every metric, person by person and joint by joint."""
    scored = gather_scored(predictions, wanted, keypoints, crop_boxes, skeleton, model.crop_size, ids_of(wanted, SPLIT))
    result = evaluate_persons(
        scored, scoring.metrics, skeleton, scoring.seed, image_ids, scoring.resamples, scoring.person_protocol
    )
    return {
        "figures": result.figures,
        "person_scores": result.person_scores,
        "person_table": result.person_scores,
        "joint_scores": result.joint_scores,
    }


def score_heatmaps(heatmap_errors: pd.DataFrame, image_ids: list[int], scoring: ScoringOptions) -> Figures:
    """How far the heatmaps are from their targets."""
    return evaluate_heatmaps(heatmap_errors, image_ids, scoring.seed, scoring.resamples)


def assemble_metrics(
    figures: Figures, precision: Figures, mse: Figures, prediction: PredictionOptions, results: str | None
) -> dict[str, Any]:
    """The content of metrics.json, and the same as a table."""
    content = metrics_content(figures, precision, mse, SPLIT, prediction.flip_test, results)
    return {"metrics": content, "table": figures_table(content)}


def score_joints(
    model: PoseModel,
    predictions: pd.DataFrame,
    wanted: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
) -> pd.DataFrame:
    """What each labelled joint of each person scored: what `posescope compare` needs of every run."""
    return tabulate_joint_hits(gather_scored(predictions, wanted, keypoints, crop_boxes, skeleton, model.crop_size), skeleton)
