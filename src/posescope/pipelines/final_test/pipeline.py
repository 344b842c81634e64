"""The flow of the final test: the seal comes first; it stays in memory, so that nobody can start behind it."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.final_test import nodes
from posescope.pipelines.split_scoring import PREDICTION, score_split
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]


def create_pipeline() -> Pipeline:
    """A trained model -> a use in the ledger; predictions, COCO results, scores, metrics of the test set."""
    seal = [
        step(
            nodes.begin_test_set_access,
            [
                "model",
                "crops",
                "targets",
                "persons",
                "keypoints",
                "crop_boxes",
                "test_access_log_workspace",
                PREDICTION,
                "params:final_test",
            ],
            {"access": "test_access", "model": "test_model"},
        ),
        step(
            nodes.complete_test_set_access,
            ["test_access_log_workspace", "test_access", "metric_values_test", "average_precision_test", "heatmap_mse_test"],
            "test_access_log",
        ),
    ]
    return pipeline([*seal, score_split("test", "test_model", "test_metrics")], tags="final_test")
