"""Pipeline `final_test`: the newest model is scored on the test set, and the access is logged.

The log entry comes first. The model that is scored is an output of that node and stays in memory, so no run can skip the entry.
"""

from kedro.pipeline import Pipeline

from posescope.evaluation.access_log import AccessLog
from posescope.pipelines.final_test import nodes
from posescope.pipelines.split_scoring import PREDICTION, scoring_steps
from posescope.pipelines.steps import stage, step

__all__ = ["create_pipeline"]

DATA = ["crops", "targets", "persons", "keypoints", "crop_boxes"]


def create_pipeline() -> Pipeline:
    """Return the pipeline that scores a model on the test set."""
    return stage(
        "final_test",
        [
            step(
                nodes.begin_test_set_access,
                ["model", *DATA, "test_access_log_workspace", PREDICTION, "params:final_test"],
                {"access": "test_access", "model": "test_model"},
            ),
            *scoring_steps("test", "test_model", "test_metrics"),
            step(
                AccessLog.complete,
                ["test_access_log_workspace", "test_access", "metric_values_test", "average_precision_test", "heatmap_mse_test"],
                "test_access_log",
                "complete_test_set_access",
            ),
        ],
    )
