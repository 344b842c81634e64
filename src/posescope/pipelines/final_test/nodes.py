"""Nodes of the final test: unpack, one call, return."""

from typing import Any

import pandas as pd

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.crops.store import CropStore
from posescope.inference.crop_predictions import PredictionOptions
from posescope.inference.people import locate_people
from posescope.metrics.evaluation import evaluate_heatmaps, evaluate_persons, evaluate_precision
from posescope.metrics.figures import Figures, metrics_content
from posescope.metrics.gather import gather_scored
from posescope.metrics.protocols import wanted_persons
from posescope.metrics.seal import SealLedger, SealUse
from posescope.metrics.sealed_test import check_unseen, describe_test
from posescope.pipelines.final_test.options import FinalTestOptions
from posescope.pipelines.scoring_options import ScoringOptions
from posescope.records import PoseTargets
from posescope.report.data_tables import persons_with_crops
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
    check_unseen(model.provenance, persons, final_test.trained_elsewhere)
    test = describe_test(persons, keypoints, crop_boxes, fingerprint_of_model(model), prediction.flip_test)
    return test_ledger_workspace.open(test, final_test.unseal_again)


def choose_test_people(
    persons_read: pd.DataFrame, keypoints: pd.DataFrame, persons: pd.DataFrame, crops: CropStore, scoring: ScoringOptions
) -> pd.DataFrame:
    """Who counts in the figures a person."""
    return wanted_persons(scoring.person_protocol, SPLIT, persons_read, keypoints, persons_with_crops(persons, crops))


def predict_test(
    test_seal: SealUse,  # noqa: ARG001
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    wanted: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    prediction: PredictionOptions,
) -> dict[str, Any]:
    """Run the model on the test crops; only who has opened the seal gets here."""
    crops.check_boxes(crop_boxes)
    chosen = crops.select(targets, ids_of(wanted, SPLIT))
    found = locate_people(model, chosen, wanted, keypoints, crop_boxes, skeleton, prediction)
    return {"predictions": found.predictions, "results": found.results, "heatmap_errors": found.heatmap_errors}


def score_test_precision(
    raw_source: CocoFolder,
    results: list[dict[str, Any]],
    persons: pd.DataFrame,
    wanted: pd.DataFrame,
    skeleton: Skeleton,
    source: SourceOptions,
    scoring: ScoringOptions,
) -> dict[str, Any]:
    """OKS AP and AR over the test images alone, against the untouched annotation file that they come from: the training set's."""
    truth, protocol = raw_source.annotation_file(source, source.train_split), scoring.precision_protocol
    images = images_of(persons, SPLIT)
    found = evaluate_precision(truth, results, skeleton, scoring.seed, scoring.resamples, protocol, wanted, images)
    return {"figures": found.figures, "image_ids": list(found.image_ids)}


def score_test_persons(
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
    return {"figures": result.figures, "person_scores": result.person_scores, "joint_scores": result.joint_scores}


def score_test_heatmaps(heatmap_errors: pd.DataFrame, image_ids: list[int], scoring: ScoringOptions) -> Figures:
    """How far the heatmaps are from their targets."""
    return evaluate_heatmaps(heatmap_errors, image_ids, scoring.seed, scoring.resamples)


def assemble_test_metrics(figures: Figures, precision: Figures, mse: Figures, prediction: PredictionOptions) -> dict[str, Any]:
    """The content of test_metrics.json."""
    return metrics_content(figures, precision, mse, SPLIT, prediction.flip_test)


def close_seal(
    test_ledger_workspace: SealLedger, test_seal: SealUse, figures: Figures, precision: Figures, mse: Figures
) -> SealLedger:
    """Write down what came out."""
    return test_ledger_workspace.complete(test_seal, figures, precision, mse)
