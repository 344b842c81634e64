"""Nodes of the final test, but for those that score (`scoring_nodes`): unpack, one call, return."""

from typing import Any

import pandas as pd

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.records import PoseTargets
from posescope.core.tables import ids_of
from posescope.data.crops.crop_store import CropStore
from posescope.evaluation.access_log import SealLedger, SealUse, check_unseen, describe_test
from posescope.evaluation.metric_values import Figures
from posescope.pipelines.final_test.options import FinalTestOptions
from posescope.prediction.crop_predictions import PredictionOptions

__all__: list[str] = []


def open_seal(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    test_ledger_workspace: SealLedger,
    prediction: PredictionOptions,
    final_test: FinalTestOptions,
) -> dict[str, Any]:
    """Begin a use of the test set, and write it down; only who has done so gets the model that may be asked."""
    match_crops(model, crops.select(targets, ids_of(persons, "test")))  # refused here, it costs no use of the test set
    check_unseen(model.provenance, persons, final_test.trained_elsewhere)
    test = describe_test(persons, keypoints, crop_boxes, fingerprint_of_model(model), prediction.flip_test)
    return {"seal": test_ledger_workspace.open(test, final_test.unseal_again), "model": model}


def close_seal(
    test_ledger_workspace: SealLedger, test_seal: SealUse, figures: Figures, precision: Figures, mse: Figures
) -> SealLedger:
    """Write down what came out."""
    return test_ledger_workspace.complete(test_seal, figures, precision, mse)
