"""Nodes of the pipeline `final_test` besides those that score a split (`split_scoring_nodes`)."""

from typing import Any

import pandas as pd

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.records import PoseTargets
from posescope.core.tables import ids_of
from posescope.data.crops.crop_store import CropStore
from posescope.evaluation.access_log import AccessLog, check_unseen, describe_final_test
from posescope.pipelines.final_test.options import FinalTestOptions
from posescope.prediction.options import PredictionOptions

__all__: list[str] = []


def begin_test_set_access(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    test_access_log_workspace: AccessLog,
    prediction: PredictionOptions,
    final_test: FinalTestOptions,
) -> dict[str, Any]:
    """Record the start of a test-set access; only this node outputs the model that is scored on the test set.

    Args:
        model: the trained model.
        crops, targets: crops of the data set and their joints.
        persons, keypoints, crop_boxes: `Persons`, `Keypoints` and `CropBoxes`.
        test_access_log_workspace: access log of the test set.
        prediction: whether the flip test is used.
        final_test: accesses that are allowed.

    Returns:
        `access` (the record of the access) and `model`.
    """
    match_crops(model, crops.select(targets, ids_of(persons, "test")))  # an error here leaves no entry in the log
    check_unseen(model.provenance, persons, final_test.trained_elsewhere)
    test = describe_final_test(persons, keypoints, crop_boxes, fingerprint_of_model(model), prediction.flip_test)
    return {"access": test_access_log_workspace.open(test, final_test.allow_repeated_access), "model": model}
