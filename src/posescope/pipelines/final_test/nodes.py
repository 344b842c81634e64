"""Nodes of the final test: unpack, one call, return."""

from typing import Any

import pandas as pd

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.coco.writer import coco_results
from posescope.crops.store import CropStore
from posescope.inference.crop_predictions import PredictionOptions, predict_crops, predictions_in_images
from posescope.metrics.average_precision import evaluate_coco
from posescope.metrics.evaluation import Figures, evaluate_persons, metrics_content, precision_figures
from posescope.metrics.gather import gather_scored
from posescope.metrics.seal import SealLedger, SealUse, describe_test
from posescope.pipelines.final_test.options import FinalTestOptions
from posescope.pipelines.scoring_options import ScoringOptions
from posescope.records import PoseTargets
from posescope.skeleton import Skeleton
from posescope.tables import ids_of, images_of

__all__: list[str] = []

SPLIT = "test"


def open_seal(
    model: PoseModel,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    test_ledger_workspace: SealLedger,
    prediction: PredictionOptions,
    final_test: FinalTestOptions,
) -> SealUse:
    """Begin a use of the test set, and write it down, before anything is predicted."""
    test = describe_test(persons, keypoints, crop_boxes, fingerprint_of_model(model), prediction.flip_test)
    return test_ledger_workspace.open(test, final_test.unseal_again)


def predict_test(
    test_seal: SealUse,  # noqa: ARG001
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    prediction: PredictionOptions,
) -> dict[str, Any]:
    """Run the model on the test crops; only who has opened the seal gets here."""
    crops.check_boxes(crop_boxes)
    result = predict_crops(model, crops.select(targets, ids_of(persons, SPLIT)), prediction)
    return {"predictions": predictions_in_images(result.predictions, crop_boxes), "mse": result.mse}


def write_test_results(predictions: pd.DataFrame, persons: pd.DataFrame, skeleton: Skeleton) -> list[dict[str, Any]]:
    """The predictions as COCO results."""
    return coco_results(predictions, persons, skeleton.category_id)


def score_test_precision(
    raw_source: CocoFolder,
    results: list[dict[str, Any]],
    persons: pd.DataFrame,
    skeleton: Skeleton,
    source: SourceOptions,
) -> Figures:
    """OKS AP and AR over the test images alone, against the untouched annotation file that they come from: the training set's."""
    truth = raw_source.annotation_file(source, source.train_split)
    images = images_of(persons, SPLIT)
    return precision_figures(evaluate_coco(truth, results, skeleton.oks_sigmas, images, category_id=skeleton.category_id))


def score_test_persons(
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


def assemble_test_metrics(figures: Figures, precision: Figures, mse: float) -> dict[str, Any]:
    """The content of test_metrics.json."""
    return metrics_content(figures, precision, mse, SPLIT)


def close_seal(test_ledger_workspace: SealLedger, test_seal: SealUse, figures: Figures, precision: Figures) -> SealLedger:
    """Write down what came out."""
    return test_ledger_workspace.complete(test_seal, figures, precision)
