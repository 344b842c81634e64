"""The flow of the final test: the seal comes first; it stays in memory, so that nobody can start behind it."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.final_test import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]


def create_pipeline() -> Pipeline:
    """A trained model -> a use in the ledger; predictions, COCO results, scores, metrics of the test set."""
    return pipeline(
        [
            step(
                nodes.open_seal,
                [
                    "model",
                    "persons",
                    "keypoints",
                    "crop_boxes",
                    "test_ledger_workspace",
                    "params:evaluation.prediction",
                    "params:final_test",
                ],
                "test_seal",
            ),
            step(
                nodes.predict_test,
                ["test_seal", "model", "crops", "targets", "persons", "crop_boxes", "params:evaluation.prediction"],
                {"predictions": "predictions_test", "mse": "heatmap_mse_test"},
            ),
            step(nodes.write_test_results, ["predictions_test", "persons", "skeleton"], "coco_results_test"),
            step(
                nodes.score_test_precision,
                ["raw_source", "coco_results_test", "persons", "skeleton", "params:data_engineering.source"],
                "average_precision_test",
            ),
            step(
                nodes.score_test_persons,
                ["model", "predictions_test", "persons", "keypoints", "crop_boxes", "skeleton", "params:evaluation.scoring"],
                {"figures": "figures_test", "person_scores": "person_scores_test", "joint_scores": "joint_scores_test"},
            ),
            step(nodes.assemble_test_metrics, ["figures_test", "average_precision_test", "heatmap_mse_test"], "test_metrics"),
            step(
                nodes.close_seal,
                ["test_ledger_workspace", "test_seal", "figures_test", "average_precision_test"],
                "test_ledger",
            ),
        ],
        tags="final_test",
    )
