"""The flow of the final test: the seal comes first; it stays in memory, so that nobody can start behind it."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.final_test import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]

SCORING = "params:evaluation.scoring"
PREDICTION = "params:evaluation.prediction"


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
                    PREDICTION,
                    "params:final_test",
                ],
                "test_seal",
            ),
            step(nodes.choose_test_people, ["persons_read", "keypoints", "persons", "crops", SCORING], "wanted_test"),
            step(
                nodes.predict_test,
                ["test_seal", "model", "crops", "targets", "wanted_test", "keypoints", "crop_boxes", "skeleton", PREDICTION],
                {"predictions": "predictions_test", "results": "coco_results_test", "heatmap_errors": "heatmap_errors_test"},
            ),
            step(
                nodes.score_test_precision,
                [
                    "raw_source",
                    "coco_results_test",
                    "persons",
                    "wanted_test",
                    "skeleton",
                    "params:data_engineering.source",
                    SCORING,
                ],
                {"figures": "average_precision_test", "image_ids": "evaluated_images_test"},
            ),
            step(
                nodes.score_test_persons,
                [
                    "model",
                    "predictions_test",
                    "wanted_test",
                    "keypoints",
                    "crop_boxes",
                    "evaluated_images_test",
                    "skeleton",
                    SCORING,
                ],
                {"figures": "figures_test", "person_scores": "person_scores_test", "joint_scores": "joint_scores_test"},
            ),
            step(nodes.score_test_heatmaps, ["heatmap_errors_test", "evaluated_images_test", SCORING], "heatmap_mse_test"),
            step(
                nodes.assemble_test_metrics,
                ["figures_test", "average_precision_test", "heatmap_mse_test", PREDICTION],
                "test_metrics",
            ),
            step(
                nodes.close_seal,
                ["test_ledger_workspace", "test_seal", "figures_test", "average_precision_test", "heatmap_mse_test"],
                "test_ledger",
            ),
        ],
        tags="final_test",
    )
